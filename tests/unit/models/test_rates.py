import pytest

from snapseek.models.rates import MIN_PICTURES, measured_rate, store_rate


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_last_rate_counts():
    assert measured_rate("a") is None
    store_rate("a", 1000, 50.0)
    store_rate("b", 1000, 10.0)
    store_rate("a", 1000, 40.0)
    assert (measured_rate("a"), measured_rate("b")) == (25.0, 100.0)


def test_a_short_run_is_not_stored():
    store_rate("a", MIN_PICTURES - 1, 1.0)
    store_rate("a", MIN_PICTURES, 0.0)
    assert measured_rate("a") is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"pictures_a_second": 3}', '{"edition": 1, "pictures_a_second": {"a": -1}}']
)
def test_a_damaged_file_counts_as_missing_and_a_foreign_one_stays(cache, content):
    cache.mkdir()
    (cache / "rates.json").write_text(content)
    assert measured_rate("a") is None
    store_rate("a", 1000, 50.0)
    is_ours = content.startswith('{"edition"')
    assert measured_rate("a") == (20.0 if is_ours else None)
    assert is_ours or (cache / "rates.json").read_text() == content


def test_a_cache_that_cannot_be_written_is_no_error(cache):
    cache.write_text("a file")
    store_rate("a", 1000, 50.0)
    assert measured_rate("a") is None


def test_few_models_are_kept():
    for number in range(100):
        store_rate(f"model {number}", 1000, 50.0)
    assert measured_rate("model 0") is None
    assert measured_rate("model 99") == 20.0
