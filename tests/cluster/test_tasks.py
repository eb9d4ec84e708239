"""Tasks and pieces, without Ray: the same work gives the same files, however often it is begun."""

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from snapseek.cluster import piece
from snapseek.cluster.partition import PartitionJob, make_partition, train_partitions
from snapseek.cluster.piece import finished_piece, piece_paths, write_piece
from snapseek.cluster.tasks import tasks_of
from snapseek.collection import Collection, create_collection
from snapseek.errors import InputError, ItemNotFoundError
from snapseek.library import Library
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

PICTURES = 10


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(PICTURES):
        Image.new("RGB", (20 + number, 20), (25 * number, 0, 0)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def files_of(task):
    return [path.read_bytes() for path in piece_paths(task.folder, task.number)]


def test_tasks_are_consecutive_and_cover_every_picture(source, tmp_path, encoder):
    tasks = tasks_of(source, tmp_path / "out", 2, encoder.space, size=3)
    assert [task.rows for task in tasks] == [3, 3, 3, 2]
    assert [task.folder.name for task in tasks] == ["p-000", "p-000", "p-001", "p-001"]
    names = [picture.within for task in tasks for picture in task.pictures]
    assert sorted(names) == sorted([*(f"{number}.png" for number in range(PICTURES)), "broken.png"])
    assert len({task.digest for task in tasks}) == 4


def test_a_digest_changes_with_the_pictures_and_with_the_model(source, tmp_path, encoder):
    def digests(space):
        return [task.digest for task in tasks_of(source, tmp_path, 1, space, size=3)]

    before = digests(encoder.space)
    assert before == digests(encoder.space)
    assert not set(before) & set(digests("another"))
    Image.new("RGB", (99, 99)).save(source / "0.png")
    assert sum(old != new for old, new in zip(before, digests(encoder.space), strict=True)) == 1


def test_a_piece_has_rows_records_and_failures(source, tmp_path, encoder):
    (task,) = tasks_of(source, tmp_path / "out", 1, encoder.space)
    report = write_piece(task, encoder)
    assert report.rows == PICTURES
    ((name, reason),) = report.failures
    assert name.endswith("broken.png")
    assert reason
    vectors, table = piece_paths(task.folder, task.number)
    assert np.load(vectors).shape == (PICTURES, encoder.dim)
    records = pq.read_table(table).to_pylist()
    assert {record["name"] for record in records} == {f"{number}.png" for number in range(PICTURES)}
    assert all(record["preview"][:4] == b"RIFF" for record in records)
    assert finished_piece(task) == report


def test_a_finished_piece_is_not_written_again(source, tmp_path, encoder, monkeypatch):
    (task,) = tasks_of(source, tmp_path / "out", 1, encoder.space)
    report = write_piece(task, encoder)
    monkeypatch.setattr(piece, "embed_pictures", None)
    assert write_piece(task, encoder) == report


@pytest.mark.parametrize("damage", ["vectors", "table", "cut"])
def test_a_piece_that_is_not_whole_is_written_again(damage, source, tmp_path, encoder):
    (task,) = tasks_of(source, tmp_path / "out", 1, encoder.space)
    write_piece(task, encoder)
    before = files_of(task)
    vectors, table = piece_paths(task.folder, task.number)
    if damage == "cut":
        table.write_bytes(table.read_bytes()[:100])
    else:
        (vectors if damage == "vectors" else table).unlink()
    assert finished_piece(task) is None
    write_piece(task, encoder)
    assert files_of(task) == before


def test_a_partition_is_published_once(source, tmp_path, encoder):
    tasks = tasks_of(source, tmp_path, 1, encoder.space, size=4)
    for task in tasks:
        write_piece(task, encoder)
    job = PartitionJob("p-000", tasks[0].folder, tuple(task.digest for task in tasks), tmp_path)
    assert make_partition(job, encoder, threads=1) == str(job.path)
    assert not list(job.path.glob("*-wal"))
    library = Library.open(job.path, encoder=encoder)
    assert [hit.id for hit in library.browse()] == list(range(1, PICTURES + 1))
    stamp = (job.path / "library.db").stat().st_mtime_ns
    make_partition(job, encoder, threads=1)
    assert (job.path / "library.db").stat().st_mtime_ns == stamp
    assert not list(tmp_path.glob(".p-*"))


def test_originals_of_a_partition_are_shown_below_an_allowed_root(source, tmp_path, encoder):
    (task,) = tasks_of(source, tmp_path, 1, encoder.space)
    write_piece(task, encoder)
    job = PartitionJob("p-000", task.folder, (task.digest,), tmp_path / "out")
    job.target.mkdir()
    make_partition(job, encoder, threads=1)
    create_collection(tmp_path / "collection.json", [[job.location]])
    for path in (job.path, tmp_path / "collection.json"):
        closed = Library.open(path, encoder=encoder)
        shown = Library.open(path, encoder=encoder, allow_roots=[source])
        for hit in closed.browse():
            with pytest.raises(ItemNotFoundError) as caught:
                closed.original_path(hit.id)
            assert "--allow-root" in caught.value.hint
            assert shown.original_path(hit.id) == source / hit.meta["name"]


def test_an_uploaded_partition_opens_from_the_object_store(source, tmp_path, encoder):
    (task,) = tasks_of(source, tmp_path, 1, encoder.space)
    write_piece(task, encoder)
    store = (tmp_path / "store").as_uri()
    job = PartitionJob("p-000", task.folder, (task.digest,), tmp_path, upload=store)
    location = make_partition(job, encoder, threads=1)
    assert location == f"{store}/p-000.snapseek"
    create_collection(tmp_path / "collection.json", [[location]])
    assert len(Collection.open(tmp_path / "collection.json", encoder=encoder)) == PICTURES


def test_ready_made_vectors_become_pieces(tmp_path, encoder):
    folder = write_embeddings(tmp_path / "laion", *(unit_rows(5, dim=encoder.dim, seed=n) for n in (1, 2)))
    tasks = tasks_of(folder, tmp_path / "out", 2, encoder.space)
    assert len(tasks) == 2
    assert [write_piece(task, encoder).rows for task in tasks] == [5, 5]
    job = PartitionJob("p-001", tasks[1].folder, (tasks[1].digest,), tmp_path)
    make_partition(job, encoder, threads=1)
    assert Library.open(job.path, encoder=encoder).browse(1)[0].caption == "caption 1-0"


def test_a_source_without_pictures_is_an_error(tmp_path, encoder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        tasks_of(tmp_path / "empty", tmp_path, 1, encoder.space)
    with pytest.raises(InputError):
        tasks_of(tmp_path / "missing", tmp_path, 1, encoder.space)


def test_partitions_are_trained_together_once(tmp_path, encoder, monkeypatch):
    for module in ("vectors.index", "collection.training"):
        monkeypatch.setattr(f"snapseek.{module}.FLAT_ROWS", 300)
    folder = write_embeddings(tmp_path / "laion", *(unit_rows(400, dim=encoder.dim, seed=n) for n in (1, 2)))
    tasks = tasks_of(folder, tmp_path / "out", 2, encoder.space)
    for task in tasks:
        write_piece(task, encoder)
    jobs = [PartitionJob(task.folder.name, task.folder, (task.digest,), tmp_path / "out") for task in tasks]
    trained = train_partitions(jobs, encoder, threads=1)
    stamp = trained.path.stat().st_mtime_ns
    assert train_partitions(jobs, encoder, threads=1).shared == trained.shared
    assert trained.path.stat().st_mtime_ns == stamp
    found = set()
    for job in jobs:
        make_partition(replace(job, training=trained), encoder, threads=1)
        library = Library.open(job.path, encoder=encoder)
        found |= {part.shard.training for part in library.snapshot().shards.parts}
    assert found == {trained.shared.checksum}


def test_few_pictures_are_not_trained(source, tmp_path, encoder):
    (task,) = tasks_of(source, tmp_path, 1, encoder.space)
    write_piece(task, encoder)
    job = PartitionJob("p-000", task.folder, (task.digest,), tmp_path)
    assert train_partitions([job], encoder) is None
    assert not list(tmp_path.glob("*.snap"))
