from collections import Counter

import pytest

from snapseek.errors import UnknownChoiceError
from tests.support.dated_library import ROWS, dated_library


@pytest.fixture(scope="module")
def dated(tmp_path_factory, encoder):
    return dated_library(tmp_path_factory.mktemp("facets"), encoder)


def counts(facet):
    return {entry.value: entry.count for entry in facet.values}


@pytest.mark.parametrize(
    "column", ["folder", "kind", "year", "month", "place", "country", "stars", "published", "punsafe"]
)
def test_each_value_selects_as_many_pictures_as_it_counts(dated, column):
    library, _ = dated
    facet = library.facet(column, limit=1000)
    assert facet.total == len(facet.values)
    for entry in facet.values[:25]:
        where = f"/{entry.value}" if column == "folder" else entry.value
        assert library.browse(1, where=f'{facet.operator}:"{where}"').total == entry.count, entry


def test_pages_of_values_join_without_a_gap(dated):
    library, _ = dated
    every = library.facet("folder", limit=1000)
    pages = [library.facet("folder", limit=7, offset=start).values for start in range(0, every.total, 7)]
    assert tuple(entry for page in pages for entry in page) == every.values
    numbers = [entry.count for entry in every.values]
    assert numbers == sorted(numbers, reverse=True)


def test_values_that_contain_a_text_are_found_beyond_the_first_page(dated):
    library, _ = dated
    found = library.facet("folder", contains="EVENT 29", limit=1)
    assert [entry.value for entry in found.values] == ["Archive/2/Event 29"]
    assert library.facet("folder", contains="nothing of that name").total == 0


def test_a_filter_restricts_the_counts(dated):
    library, records = dated
    found = counts(library.facet("stars", where="in:/archive/1"))
    expected = Counter(
        str(record["stars"]) for record in records if record["folder"].startswith("Archive/1/")
    )
    assert found == expected


def test_the_folders_in_a_folder_count_what_is_below_them(dated):
    library, records = dated
    top = library.facet("folder", within="")
    assert [(entry.value, entry.count, entry.folders) for entry in top.values] == [("archive", ROWS, 4)]
    inside = library.facet("folder", within="ARCHIVE")
    assert [entry.value.lower() for entry in inside.values] == [
        "archive/0",
        "archive/1",
        "archive/2",
        "archive/other",
    ]
    for entry in inside.values:
        below = sum(record["folder"].lower().startswith(entry.value.lower() + "/") for record in records)
        own = sum(record["folder"].lower() == entry.value.lower() for record in records)
        assert entry.count == below + own == library.browse(1, where=f'in:"/{entry.value}"').total
    assert library.facet("folder", within="archive/other").values == ()
    assert library.facet("folder", within="arch").values == ()


def test_the_ends_of_numbers_and_dates(dated):
    library, records = dated
    assert (library.facet("stars").minimum, library.facet("stars").maximum) == (0, 5)
    dates = [record["published"] for record in records]
    found = library.facet("published")
    assert (found.minimum, found.maximum) == (min(dates).isoformat(), max(dates).isoformat())
    assert library.facet("punsafe").maximum == pytest.approx((ROWS - 2) / ROWS, abs=0.01)
    assert library.facet("place").minimum is None
    assert library.facet("stars", where="stars:>99").maximum is None


def test_removed_pictures_count_nowhere(tmp_path, encoder):
    library, _ = dated_library(tmp_path, encoder, rows=60)
    before = counts(library.facet("stars"))
    library.remove([1])
    library.refresh()
    assert counts(library.facet("stars")) == {**before, "0": before["0"] - 1}


@pytest.mark.parametrize("column", ["nonsense", "uri", "id", "name", ""])
def test_a_column_without_shared_values_is_refused(dated, column):
    with pytest.raises(UnknownChoiceError):
        dated[0].facet(column)


def test_folders_beyond_a_dictionary_are_counted(tmp_path, encoder, monkeypatch):
    """A library of very many folders has no dictionary of them."""
    from snapseek.library.columns import column_builder

    monkeypatch.setattr(column_builder, "_MAX_TERMS", 10)
    library, _ = dated_library(tmp_path, encoder)
    found = library.facet("folder", within="archive")
    assert sum(entry.count for entry in found.values) == ROWS
    assert (
        library.facet("folder", limit=1000).total == library.facet("folder", contains="archive").total == 16
    )
    assert library.facet("folder", within="archive", where="stars:5").values


def test_ranges_are_suggested_for_numbers_and_dates_of_the_user(dated):
    ranges = {entry.name: entry for entry in dated[0].suggestions().ranges}
    assert ranges["stars"].kind == "number"
    assert (ranges["published"].kind, ranges["published"].minimum) == ("date", "2019-01-05")
    assert not {"id", "latitude", "longitude", "taken", "taken_offset_minutes"} & set(ranges)
