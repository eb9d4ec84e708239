"""snapseek.library.search.rank: what is answered when narrowed, ordered, grouped."""

import numpy as np
import pytest
from PIL import Image

from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.library.search.likeness import PreviewComparison
from snapseek.library.search.rank import DEDUP_DEPTH
from tests.conftest import write_pictures
from tests.support.filtered_library import ROWS, filtered_library
from tests.support.vector_rows import unit_rows

FILTERS = {
    "licence:cc0": lambda record: record["licence"] == "CC0",
    "rating:>=4 -tag:beach": lambda record: record["rating"] >= 4 and not record["tags"],
    "year:2019": lambda record: record["taken"] is not None and record["taken"].year == 2019,
    "orientation:portrait": lambda record: record["width"] < record["height"],
    'caption:"old gate"': lambda record: "old gate" in record["TEXT"],
    "in:holiday public:no": lambda record: "holiday" in record["folder"] and not record["public"],
}


@pytest.fixture(scope="module", params=["flat", "lists"])
def made(request, tmp_path_factory, encoder):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "lists":
            patch.setattr("snapseek.vectors.index.FLAT_ROWS", 300)
        return filtered_library(tmp_path_factory.mktemp(request.param), encoder)


def ids(hits):
    return [hit.id for hit in hits]


def test_filtered_results_are_the_exact_ones_without_the_others(made):
    library, records = made
    whole = library.search("red", ROWS, exact=True)
    for text, holds in FILTERS.items():
        expected = [hit for hit in whole if holds(records[hit.id - 1])]
        assert 5 < len(expected) < ROWS, text
        hits = library.search(f"red {text}", 40, exact=True)
        assert hits == expected[:40]
        assert (hits.total, hits.filters) == (len(expected), tuple(text.split(" ", "caption" not in text)))
        found = library.search("red", 40, where=text)
        assert len(set(ids(found)) & set(ids(hits))) >= 36
        assert found.total == len(expected)
        assert ids(library.browse(ROWS, where=text)) == sorted(hit.id for hit in expected)
        assert library.search(text, 7, offset=3) == library.browse(7, offset=3, where=text)


def test_no_picture_matches(made):
    library, _ = made
    hits = library.search("red rating:>9")
    assert (hits, hits.total, hits.relevant_count) == ([], 0, None)
    assert library.search("rating:>9", sort="newest") == library.browse(where={"camera": "x"}) == []
    assert library.search("red", dedup=True, mode="both", min_score=0.1, where="rating:>9") == []


def test_pages_continue_each_other_for_every_option(made):
    library, _ = made
    options = [
        {"where": "licence:cc0"},
        {"sort": "newest"},
        {"sort": "size", "where": "rating:3"},
        {"mode": "both"},
        {"mode": "words"},
        {"min_score": 0.5},
        {"dedup": True},
        {"dedup": True, "sort": "oldest", "mode": "both", "where": "-tag:draft"},
    ]
    for option in options:
        whole = library.search("red gate", 300, **option)
        total = whole.total
        assert len(whole) == min(300, total), option
        for start, end in ((0, 1), (0, 13), (13, 40), (40, 300)):
            page = library.search("red gate", end - start, offset=start, **option)
            assert (page, page.total) == (whole[start:end], total), option


@pytest.mark.slow
def test_deep_pages_of_many_that_match_in_lists_fit_together(tmp_path, encoder, monkeypatch):
    monkeypatch.setattr("snapseek.vectors.index.FLAT_ROWS", 300)
    library, _ = filtered_library(tmp_path, encoder, vectors=unit_rows(30_000, dim=3).astype(np.float16))
    option = {"where": "-rating:0"}
    whole = library.search("red", 1000, **option)
    assert whole.total > 20_000  # the core scores all of fewer
    for start, end in ((0, 1), (0, 60), (60, 120), (700, 1000)):
        assert library.search("red", end - start, offset=start, **option) == whole[start:end]
    exact = library.search("red", 1000, exact=True, **option)
    assert len({*ids(whole)} & {*ids(exact)}) >= 950


def test_matching_pictures_by_date_and_size(made):
    library, records = made

    def order(key):
        rows = [row for row, record in enumerate(records) if record["rating"] == 2]
        return [1 + row for row in sorted(rows, key=lambda row: (*key(records[row]), row))]

    def days(record):
        return 0 if record["taken"] is None else record["taken"].timestamp()

    expected = {
        "newest": order(lambda record: (record["taken"] is None, -days(record))),
        "oldest": order(lambda record: (record["taken"] is None, days(record))),
        "size": order(lambda record: (-record["width"] * record["height"],)),
    }
    for sort, found in expected.items():
        assert ids(library.browse(ROWS, where="rating:2", sort=sort)) == found
        assert ids(library.search("rating:2", 5, offset=2, sort=sort)) == found[2:7]
        best = set(ids(library.search("red rating:2", 1000)))
        assert ids(library.search("red rating:2", ROWS, sort=sort)) == [
            item for item in found if item in best
        ]


def test_results_below_min_score_are_omitted(made):
    library, _ = made
    whole = library.search("red", 1000)
    lowest = whole[20].score
    hits = library.search("red", 50, min_score=lowest)
    assert hits == whole[: len(hits)]
    assert hits.total == len(hits) == sum(hit.score >= lowest for hit in whole)
    assert library.search("red", min_score=1.01) == []


def test_words_are_found_in_captions_whatever_they_show(made):
    library, records = made
    hits = library.search("gates of barn 77", 1000, mode="words")
    assert hits[0].id == 78
    named = {1 + row for row, record in enumerate(records) if row % 3 != 1 or row == 77}
    assert set(ids(hits)) <= named
    assert hits.total == 1000
    assert all(hit.score is None for hit in hits)
    assert library.search("zebra", mode="words") == []
    narrowed = library.search("gate licence:cc0", 1000, mode="words")
    assert set(ids(narrowed)) == {1 + row for row in range(0, ROWS, 3)}


def test_the_mode_both_fuses_the_two_rankings(made):
    library, _ = made
    clip, words = library.search("red 77", 1000), library.search("red 77", 1000, mode="words")
    both = library.search("red 77", 2000, mode="both")
    assert set(ids(both)) == {*ids(clip), *ids(words)}
    assert both.total == len(both)
    scores = {hit.id: hit.score for hit in library.search("red 77", ROWS, exact=True)}
    for hit in both[:50]:
        assert hit.score == pytest.approx(scores[hit.id], abs=1e-5)

    def rank(hits, item):
        return 1 / (61 + ids(hits).index(item)) if item in ids(hits) else 0

    fused = [rank(clip, hit.id) + rank(words, hit.id) for hit in both]
    assert fused == sorted(fused, reverse=True)


def test_modes_without_words(made):
    library, _ = made
    with pytest.raises(InputError, match="words to search for"):
        library.search("-red", mode="words")
    assert ids(library.search("-red", 9, mode="both")) == ids(library.search("-red", 9))


def test_words_unknown_to_the_model_are_found_in_captions(made):
    library, _ = made
    with pytest.raises(InputError, match="knows no word"):
        library.search("barn 77")
    assert library.search("barn 77", 2, mode="both")[0].id == 78
    with pytest.raises(InputError, match="knows no word"):
        library.search("zebra", mode="both")


def test_pictures_that_look_different_are_no_near_duplicates(tmp_path, encoder):
    folder = tmp_path / "pictures"
    folder.mkdir()
    board = Image.fromarray(np.kron(np.indices((4, 4)).sum(0) % 2 * 255, np.ones((16, 16))).astype(np.uint8))
    stripes = Image.fromarray(np.repeat(np.arange(64) // 16 % 2 * 255, 64).reshape(64, 64).astype(np.uint8))
    for name, image in (("board", board), ("small", board.resize((48, 48))), ("stripes", stripes)):
        image.convert("RGB").save(folder / f"{name}.png")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    names = {hit.id: hit.meta["name"] for hit in library.browse(3)}
    first, second = library.vector(min(names)), library.vector(max(names))
    assert first @ second > 0.96
    for mode in ("clip", "auto"):
        hits = library.search("white", 3, dedup=True, mode=mode)
        groups = {frozenset(names[item] for item in (hit.id, *hit.similar)) for hit in hits}
        assert groups == {frozenset({"board.png", "small.png"}), frozenset({"stripes.png"})}


def test_near_duplicates_are_grouped(tmp_path, encoder, monkeypatch):
    # Sizes and previews are random.
    monkeypatch.setattr(PreviewComparison, "alike", lambda self, first, others, cosines: list(others))
    vectors = unit_rows(1500, dim=3)
    vectors[100:110] = vectors[100]
    library, _ = filtered_library(tmp_path, encoder, vectors=vectors.astype(np.float16))
    query = vectors[100] + 0.1  # so that the pictures that are one are among the first
    plain = library.search(query, 1000)
    grouped = library.search(query, 1000, dedup=True)
    assert sorted(item for hit in grouped for item in (hit.id, *hit.similar)) == sorted(ids(plain))
    (home,) = [hit for hit in grouped if {hit.id, *hit.similar} & set(range(101, 111))]
    assert set(range(101, 111)) <= {home.id, *home.similar}
    stored = {hit.id: library.vector(hit.id) for hit in grouped}
    first = set(ids(plain)[:DEDUP_DEPTH])
    assert all(first.issuperset(hit.similar) for hit in grouped)
    leaders = np.stack([stored[hit.id] for hit in grouped if hit.id in first])
    assert np.triu(leaders @ leaders.T, 1).max() < 0.96
    for hit in grouped[:20]:
        for item in hit.similar:
            assert stored[hit.id] @ library.vector(item) >= 0.96 - 1e-6


def test_pictures_named_by_the_query_are_excluded(library):
    (red,) = [hit.id for hit in library.browse(9) if hit.meta["name"] == "red.jpg"]
    for option in ({}, {"where": "in:/"}, {"sort": "newest"}, {"mode": "both"}, {"dedup": True}):
        hits = library.search(f"id:{red} + green", 9, **option)
        assert red not in ids(hits)
        assert hits.total == len(hits) + sum(len(hit.similar) for hit in hits) == 5
    narrowed = library.search(f"id:{red}", 9, where="name:blue")
    assert (narrowed.total, narrowed[0].meta["name"]) == (1, "blue.webp")


def test_filters_over_shards_with_other_columns_and_removed_pictures(tmp_path, encoder):
    library, _ = filtered_library(tmp_path, encoder)
    write_pictures(tmp_path / "pictures")
    Library.build(tmp_path / "pictures", tmp_path / "l", encoder=encoder)
    library.refresh()
    assert library.search("red type:gif").total == 1
    assert library.search("red rating:>=0").total == ROWS
    assert library.search("red -has:rating").total == 6
    assert library.search("red size:<3kb name:red").total == 1
    library.remove([1, 4])
    library.refresh()
    assert library.search("licence:cc0").total == ROWS // 3 - 2
    assert not {1, 4} & set(ids(library.search("red licence:cc0", 1000)))
    assert not {1, 4} & set(ids(library.search("gate", 1000, mode="words")))
    assert library.browse(1, where="licence:cc0")[0].id == 7
