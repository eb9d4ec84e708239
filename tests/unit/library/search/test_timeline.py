import pytest

from tests.support.dated_library import ROWS, dated_library


@pytest.fixture(scope="module")
def dated(tmp_path_factory, encoder):
    return dated_library(tmp_path_factory.mktemp("timeline"), encoder)


@pytest.mark.parametrize("sort", ["newest", "oldest"])
@pytest.mark.parametrize("where", [None, "stars:>3", "in:/archive/2 place:paris"])
def test_each_offset_leads_to_the_first_picture_of_its_month(dated, sort, where):
    library, _ = dated
    found = library.timeline(where=where, sort=sort)
    assert found.total == library.browse(1, where=where).total
    assert sum(month.count for month in found.months) + found.undated == found.total
    assert [month.month for month in found.months] == sorted(
        (month.month for month in found.months), reverse=sort == "newest"
    )
    for month in found.months:
        (first,) = library.browse(1, offset=month.offset, sort=sort, where=where)
        assert str(first.meta["taken"])[:7] == month.month
        if month.offset:
            (before,) = library.browse(1, offset=month.offset - 1, sort=sort, where=where)
            assert str(before.meta["taken"])[:7] != month.month


def test_pictures_without_a_date_come_last(dated):
    library, records = dated
    undated = sum(record["taken"] is None for record in records)
    found = library.timeline()
    assert found.undated == undated
    tail = library.browse(undated, offset=ROWS - undated, sort="newest")
    assert all("taken" not in hit.meta or hit.meta["taken"] is None for hit in tail)


@pytest.mark.parametrize("sort", ["relevance", "newest", "oldest", "size"])
def test_deep_pages_join_to_the_whole_order(dated, monkeypatch, sort):
    from snapseek.library.search import rank

    library, _ = dated
    whole = [hit.id for hit in library.browse(ROWS, sort=sort)]
    monkeypatch.setattr(rank, "_MAX_PARTIAL_SORT", 100)
    pages = [library.browse(50, offset=start, sort=sort) for start in range(0, ROWS + 50, 50)]
    assert [hit.id for page in pages for hit in page] == whole
    assert sorted(whole) == list(range(1, ROWS + 1))


def test_deep_pages_of_a_filter_after_removals(tmp_path, encoder, monkeypatch):
    from snapseek.library.search import rank

    monkeypatch.setattr(rank, "_MAX_PARTIAL_SORT", 10)
    library, _ = dated_library(tmp_path, encoder, rows=300)
    library.remove([5, 7, 12])
    library.refresh()
    every = [hit.id for hit in library.browse(300, sort="oldest", where="stars:<4")]
    assert not {5, 7, 12} & set(every)
    pages = [library.browse(20, offset=start, sort="oldest", where="stars:<4") for start in range(0, 300, 20)]
    assert [hit.id for page in pages for hit in page] == every
