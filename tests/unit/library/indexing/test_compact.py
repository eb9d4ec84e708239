"""snapseek.library.indexing.compact: fewer shards with the same answers."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from snapseek.errors import LibraryBusyError
from snapseek.library import Library, verify
from snapseek.library.encoders import LoadedEncoder
from snapseek.library.indexing import batch_writer, compact
from snapseek.library.indexing.compact import compact_flat_only, compact_if_due
from snapseek.library.storage.database import Database
from snapseek.search_request import SearchRequest
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


class FakePart(SimpleNamespace):
    """A part by its numbers: rows living, rows removed, flat or not."""

    def __len__(self):
        return self.living


def fake(living, dead=0, is_flat=True):
    return FakePart(living=living, shard=range(living + dead), is_flat=is_flat, alive=dead or None)


def selected(parts):
    return [part.living for part in compact_if_due(parts)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], []),
        ([fake(9)], []),
        ([fake(9), fake(1)], [9, 1]),
        ([fake(9, dead=1)], [9]),
        ([fake(40_000)], []),
        ([fake(40_000, dead=1)], []),
        ([fake(40_000, dead=20_000)], [40_000]),
        ([fake(20_000), fake(4_000)], []),
        ([fake(20_000), fake(4_000), fake(3_000)], [4_000, 3_000]),
        ([fake(20_000), fake(4_000), fake(6_500)], [20_000, 6_500, 4_000]),
        ([fake(40_000), fake(10_000)], [40_000, 10_000]),
        ([fake(10**6, is_flat=False), fake(49_999)], []),
        ([fake(10**6, is_flat=False), fake(49_999), fake(1)], [49_999, 1]),
        ([fake(10**6, is_flat=False), fake(10**5, is_flat=False)], []),
        ([fake(10**6, is_flat=False), fake(5 * 10**5, is_flat=False)], [10**6, 5 * 10**5]),
        ([fake(10**6, is_flat=False, dead=10**5)], []),
        ([fake(10**6, is_flat=False, dead=10**6)], [10**6]),
    ],
)
def test_shards_that_are_worth_merging(parts, expected):
    assert selected(parts) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([fake(5000)], []),
        ([fake(5000), fake(1000)], []),
        ([fake(5000), fake(4000)], [5000, 4000]),
        ([fake(40_000), fake(9_000), fake(4_500)], [9_000, 4_500]),
        ([fake(30_000), fake(25_000)], []),
        ([fake(10**6, is_flat=False), fake(4000), fake(4000)], [4000, 4000]),
    ],
)
def test_shards_that_are_merged_during_an_index(parts, expected):
    assert [part.living for part in compact_flat_only(parts)] == expected


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 100)), max_size=60))
def test_shards_stay_few_and_rows_are_rewritten_rarely(pieces_of_rows):
    """However a library grows: logarithmically many shards, and rewrites for each row."""
    parts, total, written = [], 0, 0
    for rows, dead in pieces_of_rows:
        parts.append(fake(rows, dead))
        total += rows
        while job := compact_if_due(parts):
            merged = sum(map(len, job))
            written += merged if merged >= compact.SMALL_ROWS else 0
            parts = [part for part in parts if part not in job]
            parts.append(fake(merged, is_flat=merged < compact.core.FLAT_ROWS))
    assert sum(map(len, parts)) == total
    assert len(parts) <= 2 + np.log(max(total, 2)) / np.log(1.5)
    assert written <= total * (4 + 3 * np.log2(max(total, 2)))


@pytest.fixture
def worn(tmp_path, encoder, monkeypatch):
    """A library of many shards, some of their rows removed or changed."""
    for name, value in {"_GROWTH": 1000, "_MAX_DELETED": 1, "SMALL_ROWS": 0}.items():
        monkeypatch.setattr(compact, name, value)
    monkeypatch.setattr(batch_writer, "BATCH_ROWS", 7)
    folder = tmp_path / "p"
    folder.mkdir()
    for number in range(60):
        color = tuple(np.random.default_rng(number).integers(0, 255, 3).tolist())
        Image.new("RGB", (12, 9), color).save(folder / f"{number:02}.png")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    for number in range(0, 60, 5):
        (folder / f"{number:02}.png").unlink()
    Image.new("RGB", (12, 9), "cyan").save(folder / "33.png")
    library.sync()
    assert len(shards(library)) > 8
    return library


def shards(library):
    with Database.open(library.info().path) as database:
        return database.shards.all()


def answers(library):
    hits = [library.search(word, 99, exact=True) for word in ("red", "cyan", "white")]
    return [(hit.id, hit.uri, hit.preview) for hit in sorted(hits[0], key=lambda hit: hit.id)], hits


@pytest.mark.parametrize("flat_rows", [50_000, 30])
def test_compaction_keeps_results(worn, monkeypatch, flat_rows):
    before, scored = answers(worn)
    monkeypatch.setattr(compact.core, "FLAT_ROWS", flat_rows)
    version = worn.version
    report = worn.compact()
    assert (report.before, report.after, report.dropped) == (report.before, 1, 13)
    assert worn.version != version
    after, rescored = answers(worn)
    assert after == before
    for old, new in zip(scored, rescored, strict=True):
        scores = {hit.id: hit.score for hit in new}
        assert all(scores[hit.id] == pytest.approx(hit.score, abs=2e-3) for hit in old)
    (part,) = worn.snapshot()._shards.parts
    assert part.shard.index.info().kind == ("flat" if flat_rows > 60 else "ivf")
    assert verify(worn.info().path) == []
    assert len(list((worn.info().path / "shards").iterdir())) == 2
    assert worn.compact().dropped == 0


def test_a_snapshot_outlives_its_files(worn):
    snapshot = worn.snapshot()
    before = snapshot.search(SearchRequest(2, limit=99), LoadedEncoder(worn.encoder))
    worn.compact()
    assert snapshot.search(SearchRequest(2, limit=99), LoadedEncoder(worn.encoder)) == before


def test_each_source_is_merged_by_itself(worn, tmp_path):
    laion = write_embeddings(tmp_path / "laion", unit_rows(30, dim=3).astype("f2"))
    library = Library.import_vectors(laion, tmp_path / "l", encoder=worn.encoder)
    library.remove(library.browse(1, offset=len(library) - 1)[0].id)
    meta = library.browse(1, offset=len(library) - 1)[0].meta
    assert library.compact().after == 2
    assert [row.source for row in shards(library)] == [None, laion]
    assert library.browse(1, offset=len(library) - 1)[0].meta == meta
    assert len(library) == 48 + 29


def test_one_writer_at_a_time(worn, monkeypatch):
    monkeypatch.setattr("snapseek.library.storage.database.BUSY_TIMEOUT_S", 0.05)
    with Database.open_for_writing(worn.info().path), pytest.raises(LibraryBusyError):
        worn.compact()
