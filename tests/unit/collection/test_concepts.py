"""Words that a collection was taught: marks in the manifest, trained from what partitions send."""

import threading

import numpy as np
import pytest

from snapseek.collection import Collection, create_collection
from snapseek.collection.concepts import ReceivedConcepts
from snapseek.collection.manifest import read_manifest
from snapseek.collection.membership import add_partition
from snapseek.errors import InputError, ItemNotFoundError, ParseError, PartitionError, StorageError
from tests.support.partition_servers import honest, only, partition_servers
from tests.support.partitions import pictures, split_columns, write_library

ROWS = 24


@pytest.fixture(scope="module")
def libraries(tmp_path_factory, encoder):
    directory = tmp_path_factory.mktemp("parts")
    vectors, columns = pictures(np.random.default_rng(5), ROWS, encoder.dim)
    return [
        write_library(directory / str(part), encoder, vectors[rows], split_columns(columns, rows))
        for part, rows in enumerate(np.array_split(np.arange(ROWS), 2))
    ]


@pytest.fixture
def path(libraries, tmp_path):
    create_collection(tmp_path / "c.json", [[str(library.info().path)] for library in libraries])
    return tmp_path / "c.json"


@pytest.fixture
def collection(path, encoder):
    with Collection.open(path, encoder=encoder) as opened:
        yield opened


def scores(collection):
    """The score of every picture for the word that was taught."""
    return {hit.id: hit.score for hit in collection.search("rex", ROWS)}


def test_the_version_changes_with_a_word(collection):
    item, before = collection.browse(1)[0].id, collection.version
    collection.teach("rex", [item])
    after = collection.version
    assert after != before
    assert collection.search("red", 1).version == after
    collection.delete_concept("rex")
    assert collection.version == before


def test_a_picture_of_a_missing_partition_is_not_called_unknown(libraries, path, encoder, tmp_path):
    with Collection.open(path, encoder=encoder) as opened:
        items = [hit.id for hit in opened.browse(ROWS)]
    directory = libraries[1].info().path
    body = path.read_text().replace(str(directory), str(tmp_path / "gone"))
    path.write_text(body)
    with Collection.open(path, encoder=encoder) as opened:
        here = [hit.id for hit in opened.browse(ROWS)]
        away = next(item for item in items if item not in here)
        with pytest.raises(
            PartitionError, match=rf"picture {away} is in partition .*, which does not answer: "
        ):
            opened.teach("rex", [here[0], away])
        with pytest.raises(PartitionError, match=f"picture {away} "):
            opened.teach("rex", here[:1], [away])
        with pytest.raises(ItemNotFoundError, match="got 99"):
            opened.teach("rex", [here[0], 99])
        assert opened.teach("rex", here[:1]).examples == (here[0],)


@pytest.mark.parametrize("name", ["c.json", ".c.json.lock", ".c.json.0123456789abcdef.tmp"])
def test_no_export_replaces_the_manifest_or_its_lock(collection, path, name):
    collection.teach("rex", [collection.browse(1)[0].id])
    before = {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    assert ".c.json.lock" in before
    for export in (lambda target: collection.export(target, "csv"), collection.export_concepts):
        with pytest.raises(InputError):
            export(path.with_name(name))
    assert {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()} == before


def test_marks_are_checked_before_anything_is_written(collection, path):
    item, before = collection.browse(1)[0].id, path.read_bytes()
    for error, arguments in (
        (ItemNotFoundError, ("rex", [item, 99])),
        (InputError, ("rex", [])),
        (InputError, ("17", [item])),
        (InputError, ("rex", [item], [item])),
        (InputError, ("rex", [], [item])),
        (InputError, ("rex", "12")),
    ):
        with pytest.raises(error):
            collection.teach(*arguments)
    assert path.read_bytes() == before


def test_several_writers_lose_no_mark(path, encoder, libraries):
    collections = [Collection.open(path, encoder=encoder) for _ in range(2)]
    items = [hit.id for hit in collections[0].browse(16)]

    def teach(number):
        for item in items[number::2]:
            collections[number].teach(f"word {number}", [item])

    threads = [threading.Thread(target=teach, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {row.name: row.examples for row in read_manifest(path).concepts}
    assert found == {f"word {number}": tuple(sorted(items[number::2])) for number in range(2)}
    for collection in collections:
        collection.close()


def test_a_manifest_that_cannot_be_written_is_one_sentence(collection, path, monkeypatch):
    item = collection.browse(1)[0].id

    def refuse(*_arguments, **_options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("snapseek.collection.manifest.atomic_file", refuse)
    with pytest.raises(StorageError, match="Read-only file system"):
        collection.teach("rex", [item])
    assert collection.concepts() == []


def test_a_word_is_trained_again_after_a_partition_failed(libraries, tmp_path, encoder):
    with partition_servers(*libraries) as servers:
        create_collection(tmp_path / "c.json", [[server.address] for server in servers])
        collection = Collection.open(tmp_path / "c.json", encoder=encoder)
        items = [hit.id for hit in collection.browse(ROWS)]
        collection.teach("rex", [items[0], items[-2]])
        expected = scores(collection)
        collection.delete_concept("rex")
        servers[1].behave = only("vectors", lambda request, answer: 500)
        collection.teach("rex", [items[0], items[-2]])
        assert scores(collection).items().isdisjoint(expected.items())
        servers[1].behave = honest
        _wait_until(lambda: scores(collection) == expected)
        collection.close()


def test_a_removed_partition_takes_its_marks_out_of_the_training_only(collection, path, encoder, libraries):
    items = [hit.id for hit in collection.browse(ROWS)]
    collection.teach("rex", [items[0], items[-2]])
    before = sorted(hit.uri for hit in collection.search("is:rex", ROWS))
    manifest = read_manifest(path)
    manifest.without(manifest.partitions[1].name).write(path)
    with Collection.open(path, encoder=encoder) as smaller:
        assert smaller.concept("rex").examples == (items[0], items[-2])
        assert items[0] in {hit.id for hit in smaller.search("is:rex", ROWS)}
    manifest.write(path)
    with Collection.open(path, encoder=encoder) as whole:
        assert sorted(hit.uri for hit in whole.search("is:rex", ROWS)) == before


def test_a_renewed_partition_brings_no_word_back(path, libraries):
    library = libraries[0]
    item = library.browse(1)[0].id
    library.teach("bella", [item])
    try:
        add_partition(path, [str(library.info().path)])
        assert read_manifest(path).concepts == ()
    finally:
        library.delete_concept("bella")


def received(**changes):
    """The concepts of a request about two of them, with three marks."""
    arrays = {
        "concept_vectors": np.eye(2, 3, dtype=np.float32),
        "concept_min_scores": np.zeros(2, np.float32),
        "concept_marks": np.array([[0, 5, 1], [1, 6, 0], [1, 7, 1]], np.int64),
    }
    return ReceivedConcepts.of({"concepts": ["bella", "rex"]}, {**arrays, **changes}, 3)


def test_a_partition_reads_the_marks_of_each_word(libraries):
    taught = received().taught(libraries[0].snapshot().shards)
    assert [(row.key, row.examples, row.counterexamples) for row in taught.rows] == [
        ("bella", (5,), ()),
        ("rex", (7,), (6,)),
    ]


@pytest.mark.parametrize("mark", [[2, 5, 1], [-1, 5, 1], [0, 5, 2], [0, 5, -1], [0, 5, 2**40]])
def test_a_mark_that_is_none_is_refused(mark):
    with pytest.raises(ParseError, match="marks of concepts"):
        received(concept_marks=np.array([mark], np.int64))


def _wait_until(happens):
    for _ in range(600):
        if happens():
            return
        threading.Event().wait(0.1)
    raise AssertionError("it did not happen")
