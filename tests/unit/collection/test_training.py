"""Partitions with one training answer as one index, and a training survives what is done to a partition."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from snapseek.collection import Collection, add_partition, create_collection
from snapseek.collection.training import FILE_NAME, train_collection
from snapseek.errors import InputError, ModelMismatchError
from snapseek.library import Library
from snapseek.library.storage import shards
from snapseek.library.storage.shards import Shard
from snapseek.library.storage.shared_training import KINDS, SETTING, SharedTraining
from snapseek.vectors import VectorIndex
from snapseek.vectors.index import CalibrationPoint
from tests.support.partitions import pictures, split
from tests.support.vector_rows import unit_rows

ROWS, DIM, K = 4000, 24, 10
SMALL = 12
SHARES = ([1, 1], [1, 2, 5], [1] * 8)


def few_rows(patch):
    """Hundreds of rows are many enough for inverted lists."""
    for module in ("vectors.index", "collection.training"):
        patch.setattr(f"snapseek.{module}.FLAT_ROWS", 300)


@pytest.fixture(autouse=True)
def lists(monkeypatch):
    few_rows(monkeypatch)


@pytest.fixture(scope="module")
def clustered():
    """Rows around some centres, and queries between these."""
    rng = np.random.default_rng(0)
    centres = unit_rows(60, dim=DIM, seed=1)
    rows = centres[rng.integers(0, 60, ROWS)] + 0.15 * rng.standard_normal((ROWS, DIM))
    queries = centres[rng.integers(0, 60, 500)] + 0.3 * rng.standard_normal((500, DIM))
    unit = [(values / np.linalg.norm(values, axis=1, keepdims=True)) for values in (rows, queries)]
    return unit[0].astype(np.float16), unit[1].astype(np.float32)


@pytest.fixture(scope="module")
def whole(clustered, tmp_path_factory):
    rows, queries = clustered
    directory = tmp_path_factory.mktemp("whole")
    first = directory / "first.snap"
    VectorIndex.build(rows, queries[200:], path=first, nlist=65)
    path = directory / "training.snap"
    return path, VectorIndex.build(rows, queries[200:], path=path, training=first)


def overlap(one, other):
    pairs = zip(one.tolist(), other.tolist(), strict=True)
    return sum(len(set(a) & set(b)) for a, b in pairs) / other.size


@pytest.mark.parametrize("shares", SHARES, ids=lambda shares: f"{len(shares)} partitions")
def test_partitions_with_one_training_find_what_one_index_finds(shares, clustered, whole):
    rows, queries = clustered
    path, one = whole
    point = replace(one.search_params(k=K), shortlist=300)  # a library reranks many, too
    expected, _ = one.search(queries[:200], K, effort=point)
    owner = np.random.default_rng(1).choice(len(shares), ROWS, p=np.array(shares) / sum(shares))
    ids, scores = [], []
    for number in range(len(shares)):
        own = np.flatnonzero(owner == number)
        part = VectorIndex.build(rows[own], queries[200:], ids=own, training=path)
        assert part.training == one.training
        found = part.search(queries[:200], K, effort=point)
        ids.append(found[0])
        scores.append(found[1])
    merged, values = np.concatenate(ids, axis=1), np.concatenate(scores, axis=1)
    best = np.argsort(-values, axis=1, kind="stable")[:, :K]
    found = np.take_along_axis(merged, best, axis=1)
    exact = np.einsum("qd,qkd->qk", queries[:200], rows[found].astype(np.float32))
    assert np.abs(np.take_along_axis(values, best, axis=1) - exact).max() < 2e-3
    assert overlap(found, expected) >= 0.99
    truth = np.argsort(-(queries[:200] @ rows.astype(np.float32).T), axis=1, kind="stable")[:, :K]
    assert overlap(found, truth) >= overlap(expected, truth) - 0.005 >= 0.94


class Part(Shard):
    """A shard of an index alone."""

    def __init__(self, index):
        self.index = index
        self._params = dict.fromkeys(KINDS, index.search_params(k=K))

    def __len__(self):
        return len(self.index)


@pytest.fixture(scope="module")
def small_parts(clustered, whole):
    """Partitions whose probed lists hold fewer rows than a library reranks, and the training."""
    rows, queries = clustered
    owner = np.random.default_rng(1).integers(0, SMALL, ROWS)
    parts = []
    for number in range(SMALL):
        own = np.flatnonzero(owner == number)
        parts.append(Part(VectorIndex.build(rows[own], queries[200:], ids=own, training=whole[0])))
    point = CalibrationPoint(0.9, nprobe=8, shortlist=20)
    return parts, SharedTraining(whole[1].training, ROWS, dict.fromkeys(KINDS, point))


def merged(parts, query, k, training):
    found = [part.search(query[None], k, training=training) for part in parts]
    ids, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    return ids[np.lexsort((ids, -scores))[:k]]


def test_small_partitions_probe_no_other_lists_than_one_index(clustered, whole, small_parts, monkeypatch):
    monkeypatch.setattr(shards, "DEEPEST_PAGE", 100)
    parts, training = small_parts
    queries = clustered[1][:200]
    point = replace(training.points["samples"], shortlist=100)
    expected, _ = whole[1].search(queries, K, effort=point)
    found = np.stack([merged(parts, query, K, training) for query in queries])
    assert overlap(found, expected) >= 0.99
    more = np.stack([merged(parts, query, K, None) for query in queries])
    assert overlap(more, expected) < overlap(found, expected), "each for its own best"


def test_a_deep_page_of_a_small_partition_has_all_its_results(clustered, small_parts):
    parts, training = small_parts
    query = clustered[1][:1]
    for k in (10, 100, len(parts[0])):
        ids, _ = parts[0].search(query, k, training=training)
        assert len(ids) == k
        first, _ = parts[0].search(query, K, training=training)
        assert ids[:1] == first[:1]


def test_an_index_of_another_training_has_another_checksum(clustered, whole):
    rows, queries = clustered
    other = VectorIndex.build(rows[:3000], queries[200:], nlist=65)
    assert other.training != whole[1].training
    assert VectorIndex.build(rows[:20]).training is None


def test_few_rows_are_built_without_a_training(clustered, whole):
    assert VectorIndex.build(clustered[0][:200], training=whole[0]).info().kind == "flat"


def test_a_training_of_another_dimension_is_refused(whole):
    with pytest.raises(InputError):
        VectorIndex.build(unit_rows(600, dim=DIM + 4), training=whole[0])


@pytest.fixture(scope="module")
def trained(tmp_path_factory, encoder):
    """A collection of a flat partition and two of inverted lists, trained, and what it was before."""
    directory = tmp_path_factory.mktemp("trained")
    vectors, columns = pictures(np.random.default_rng(5), 1000, encoder.dim)
    parts = [np.arange(20), np.arange(20, 400), np.arange(400, 1000)]
    with pytest.MonkeyPatch.context() as patch:
        few_rows(patch)
        collection, _ = split(directory, encoder, vectors, columns, parts)
        before = {hit.id: (hit.uri, hit.caption) for hit in collection.browse(1000)}
        kinds = trainings(collection)
        report = train_collection(directory / "collection.json", threads=1)
    return directory, report, before, kinds


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of it."""
    shutil.copytree(trained[0], tmp_path / "c", symlinks=True)
    return tmp_path / "c"


@pytest.fixture
def checksum(trained):
    return trained[1].checksum


def trainings(collection):
    return [part.shard.training for one in collection._libraries() for part in one.snapshot().shards.parts]


def test_a_collection_is_trained_once_and_keeps_ids_and_records(trained, encoder):
    directory, report, before, kinds = trained
    assert len(set(kinds)) == 3
    collection = Collection.open(directory / "collection.json", encoder=encoder)
    flat, *others = [entry.name for entry in collection.partitions()]
    assert [name for name, _ in report.left] == [flat]
    assert list(report.trained) == others
    assert trainings(collection) == [None, report.checksum, report.checksum]
    assert {hit.id: (hit.uri, hit.caption) for hit in collection.browse(1000)} == before
    assert all(not one.problem for one in collection.partitions())
    members = collection.collection_snapshot().members.values()
    assert [member.facts.training for member in members] == ["", report.checksum, report.checksum]


def test_a_partition_that_is_added_later_takes_the_training(folder, checksum, encoder):
    path = folder / "collection.json"
    stamp = (folder / FILE_NAME).stat().st_mtime_ns
    add_partition(path, [str(folder / "whole" / "library")])
    assert train_collection(path, threads=1).checksum == checksum
    assert (folder / FILE_NAME).stat().st_mtime_ns == stamp
    assert trainings(Collection.open(path, encoder=encoder)) == [None, *[checksum] * 3]


def test_a_compaction_keeps_the_training(folder, checksum, encoder):
    library = Library.open(folder / "part-2" / "library", encoder=encoder)
    library.remove([hit.id for hit in library.browse(10)])
    library.compact(threads=1)
    assert [part.shard.training for part in library.snapshot().shards.parts] == [checksum]
    assert len(library) == 590


def test_partitions_search_with_the_operating_point_of_the_merged_list(
    folder, checksum, encoder, monkeypatch
):
    passed = []
    search = VectorIndex.search

    def noting(self, *arguments, **options):
        passed.append((self.training, options["effort"] and options["effort"].nprobe))
        return search(self, *arguments, **options)

    def probes(library):
        passed.clear()
        library.search("red", 10)
        return {nprobe for training, nprobe in passed if training == checksum}

    monkeypatch.setattr(VectorIndex, "search", noting)
    small, large = (Library.open(folder / f"part-{number}" / "library", encoder=encoder) for number in (1, 2))
    shared = SharedTraining.of_settings(large.snapshot().settings).points["samples"].nprobe
    own = {
        library: library.snapshot().shards.parts[0].shard.index.search_params(k=60).nprobe
        for library in (small, large)
    }
    assert probes(Collection.open(folder / "collection.json", encoder=encoder)) == {shared}
    assert probes(large) == {own[large]}
    most_elsewhere = folder / "rest.json"  # most of the pictures are elsewhere
    create_collection(most_elsewhere, [[str(folder / "part-1" / "library")]])
    assert probes(Collection.open(most_elsewhere, encoder=encoder)) == {own[small]}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "[]",
        "{",
        "null",
        '{"checksum": "x", "rows": 1, "points": {"samples": [1, 1], "rows": [1, 1]}}',
        "[" * 9000,
        json.dumps({"checksum": "0" * 16, "rows": 9, "points": {"samples": [0, 1], "rows": [1, -1]}}),
    ],
)
def test_a_damaged_setting_is_no_training(value):
    assert SharedTraining.of_settings({SETTING: value}) is None


def test_too_few_pictures_are_not_trained(tmp_path, encoder):
    vectors, columns = pictures(np.random.default_rng(0), 100, encoder.dim)
    split(tmp_path, encoder, vectors, columns, [np.arange(50), np.arange(50, 100)])
    with pytest.raises(InputError, match="at least"):
        train_collection(tmp_path / "collection.json")
    assert not (tmp_path / FILE_NAME).exists()


def test_a_training_of_another_model_is_not_used(folder):
    VectorIndex.build(unit_rows(400, dim=8), path=folder / FILE_NAME, nlist=4)
    with pytest.raises(ModelMismatchError):
        train_collection(folder / "collection.json")
