import json

import numpy as np
import pytest

from snapseek.models.queries.background import Background, load_background, store_background


def _background(dim: int, threshold: float = 0.25) -> Background:
    return Background(np.linspace(-0.5, 0.5, dim).astype(np.float32), threshold, "demo pictures")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path))
    return tmp_path / "backgrounds"


def test_one_pair_in_a_thousand_exceeds_the_threshold():
    random = np.random.default_rng(0)
    pictures, queries = (random.normal(size=(400, 8)).astype(np.float32) for _ in range(2))
    background = Background.of(pictures + 3, queries, "library")
    above = queries @ (pictures + 3 - background.mean).T
    assert (above > background.threshold).mean() == pytest.approx(0.001, abs=1e-5)


def test_a_score_counts_from_the_mean_of_its_query():
    background = Background(np.array([0.3, 0.0], np.float32), 0.25, "demo pictures")
    scores = [background.min_score(np.array(query, np.float32)) for query in ([1, 0], [0, 1], [-1, 0])]
    assert scores == pytest.approx([0.55, 0.25, -0.05])


def test_a_stored_background_is_read_again(cache, encoder):
    assert load_background(encoder) is None
    store_background(encoder, _background(encoder.dim))
    found = load_background(encoder)
    assert (found.threshold, found.origin) == (0.25, "demo pictures")
    np.testing.assert_allclose(found.mean, _background(encoder.dim).mean, atol=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "0" * 64},
        {"edition": 0},
        {"mean": [0.1]},
        {"mean": "none"},
        {"mean": None},
        {"mean": [[0.1], [0.1, 0.2]]},
        {"threshold": None},
        {"threshold": float("nan")},
        {"threshold": "high"},
    ],
)
def test_a_damaged_or_foreign_background_is_none(cache, encoder, change):
    store_background(encoder, _background(encoder.dim))
    (path,) = cache.iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert load_background(encoder) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_a_file_that_is_no_background_is_none(cache, encoder, content):
    store_background(encoder, _background(encoder.dim))
    (path,) = cache.iterdir()
    path.write_bytes(content)
    assert load_background(encoder) is None


def test_a_cache_that_refuses_is_ignored(cache, encoder):
    cache.write_text("a file")
    store_background(encoder, _background(encoder.dim))
    assert load_background(encoder) is None
