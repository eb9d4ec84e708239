"""Every address and every method of a library, over a collection of the same pictures.

The answer is the same, or one sentence that names the limit.
"""

import csv
import io
import json
import pickle
from contextlib import ExitStack

import numpy as np
import pytest

from snapseek.collection import Collection, create_collection
from snapseek.errors import InputError, ItemNotFoundError, LibraryError, UnknownChoiceError
from snapseek.library import Library
from snapseek.library.reader import LibraryReader
from snapseek.server import create_app
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.served_app import served_app
from tests.support.split_library import PICTURES, build_whole, comparable, local_id, split_copy

JSON = (LOCALHOST, (b"content-type", b"application/json"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, encoder):
    return build_whole(tmp_path_factory.mktemp("whole"), encoder)


@pytest.fixture(scope="module")
def local(whole, tmp_path_factory, encoder):
    """A collection of partitions that are open in this process."""
    return split_copy(whole, tmp_path_factory.mktemp("local"), encoder)


@pytest.fixture(scope="module")
def router(local, tmp_path_factory, encoder):
    """A collection of the same partitions, each with a server."""
    path = tmp_path_factory.mktemp("router") / "collection.json"
    with ExitStack() as stack:
        apps = [create_app(library) for library in local._libraries()]
        create_collection(path, [[stack.enter_context(served_app(app))] for app in apps])
        yield Collection.open(path, encoder=encoder)


@pytest.fixture(params=["local", "router"])
def collection(request):
    return request.getfixturevalue(request.param)


def items_of(library):
    """The ids of two pictures of two partitions, by the letter that stands for them in a request."""
    by_local = {local_id(hit.id): hit.id for hit in library.browse(200)}
    return {"AAA": by_local[1], "BBB": by_local[4]}


def request(library, method, path, query="", body=None):
    """The status and the comparable body of an answer; pictures in the order of their ids if it has none."""

    def filled(text):
        for letter, item in items_of(library).items():
            text = text.replace(f'"{letter}"', str(item)).replace(letter, str(item))
        return text

    app = create_app(library)
    data = filled(json.dumps(body)).encode() if body is not None else b""
    reply = ask(app, filled(path), filled(query), method=method, headers=JSON, body=data)
    if not reply.headers.get("content-type", "").split(";")[0].endswith("json"):
        return reply.status, reply.headers.get("content-type"), reply.body
    found = comparable(reply.json())
    if isinstance(found, dict) and found.get("results") and found["results"][0].get("score") is None:
        found["results"].sort(key=lambda result: result["id"])
    return reply.status, found


SAME = [
    ("GET", "/api/search", "q=red&limit=5"),
    ("GET", "/api/search", "q=red&dedup=1"),
    ("GET", "/api/search", "q=sunny&mode=auto&limit=24"),
    ("GET", "/api/search", "q=red&sort=newest&limit=24"),
    ("GET", "/api/search", "q=red+-"),
    ("GET", "/api/search", "q=tag:sunny+red&limit=12"),
    ("GET", "/api/search", "where=year:2020"),
    ("GET", "/api/search", "q=red&model=fast&limit=3"),
    ("GET", "/api/search", "q=red&where=nonsense:1"),
    ("GET", "/api/search", "q=red&where=is:rex"),
    ("POST", "/api/search", "", {"terms": [{"id": "AAA"}, {"text": "red"}], "limit": 3}),
    ("GET", "/api/items", "limit=200"),
    ("GET", "/api/items", "ids=AAA,BBB,99"),
    ("GET", "/api/items", "ids=AAA&include="),
    ("GET", "/api/items", "sort=newest&limit=6&offset=6"),
    ("GET", "/api/items", "offset=1000000"),
    ("GET", "/api/items/AAA"),
    ("GET", "/api/items/99"),
    ("GET", "/api/items/x"),
    ("GET", "/api/items/BBB/similar", "limit=1"),
    ("GET", "/api/items/99/similar"),
    ("GET", "/api/suggestions"),
    ("GET", "/api/facets", "column=folder&within="),
    ("GET", "/api/facets", "column=year"),
    ("GET", "/api/facets", "column=tags&where=year:2020"),
    ("GET", "/api/facets", "column=size_bytes"),
    ("GET", "/api/facets", "column=unknown"),
    ("GET", "/api/timeline"),
    ("GET", "/api/timeline", "sort=oldest&where=tag:sunny"),
    ("GET", "/api/preview/AAA"),
    ("GET", "/api/preview/99"),
    ("GET", "/api/image/BBB"),
    ("GET", "/api/image/BBB", "w=16"),
    ("GET", "/api/image/99"),
    ("GET", "/api/jobs"),
    ("GET", "/api/libraries"),
    ("GET", "/api/previews"),
    ("GET", "/api/concepts"),
    ("POST", "/api/concepts", "", {"name": "rex", "examples": [99]}),
    ("POST", "/api/concepts/delete", "", {"name": "rex"}),
    ("GET", "/api/duplicates"),
    ("GET", "/api/duplicates", "where=tag:sunny&limit=2"),
    ("GET", "/healthz"),
    ("POST", "/knn-service", "", {"text": "red", "num_images": 3}),
    ("POST", "/metadata", "", {"ids": ["AAA", "BBB"]}),
]


@pytest.mark.parametrize("arguments", SAME, ids=lambda arguments: " ".join(map(str, arguments)))
def test_an_address_answers_as_for_one_library(arguments, whole, collection):
    assert request(collection, *arguments) == request(whole, *arguments)


LOCAL_ONLY = [
    ("GET", "/api/paths", "ids=AAA,BBB"),
    ("POST", "/api/reveal", "", {"id": "AAA"}),
    ("GET", "/api/zip", "ids=AAA,BBB"),
    ("GET", "/api/library"),
    ("GET", "/api/failures"),
]


@pytest.mark.parametrize("arguments", LOCAL_ONLY, ids=lambda arguments: " ".join(map(str, arguments)))
def test_files_of_this_machine_are_found_in_all_partitions(arguments, whole, local):
    found, expected = request(local, *arguments), request(whole, *arguments)
    if arguments[1] == "/api/library":
        assert found[1].pop("path") != expected[1].pop("path")
    if arguments[1] == "/api/zip":
        assert (found[0], len(found[2])) == (expected[0], len(expected[2]))
    else:
        assert found == expected


REFUSED = [
    ("GET", "/api/upgrade", "", None, 400, "a collection cannot be upgraded as a whole"),
    ("POST", "/api/jobs", "", {"kind": "sync"}, 404, "a collection is not changed as a whole"),
    ("POST", "/api/libraries", "", {"id": "x"}, 404, "the server of a collection opens no library"),
    ("POST", "/api/partition", "", None, 404, "expected the server of a library"),
]


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused[1])
def test_an_address_that_needs_one_library_says_so(refused, collection):
    *arguments, status, sentence = refused
    found = request(collection, *arguments)
    assert found[0] == status
    assert found[1]["detail"].startswith(sentence)


def locals_of(hits):
    return [(local_id(hit.id), hit.uri, hit.score) for hit in hits]


def groups_of(review):
    groups = [(local_id(one.best), *map(local_id, one.others), one.free_bytes) for one in review.groups]
    return review.compared, review.free_bytes, groups


def exported(library, kind):
    stream = io.BytesIO()
    rows = library.export(stream, kind)
    if kind == "csv":
        found = list(csv.DictReader(io.StringIO(stream.getvalue().decode())))
        return rows, sorted((local_id(int(one.pop("id"))), *one.values()) for one in found)
    vectors = np.load(io.BytesIO(stream.getvalue()))
    return rows, sorted(map(tuple, vectors.tolist()))


READS = {
    "len": lambda library, item: len(library),
    "bool": lambda library, item: bool(library),
    "contains": lambda library, item: [one in library for one in (item, np.int64(item), 99, True, "x", -1)],
    "iteration": lambda library, item: sorted(locals_of(library)),
    "item": lambda library, item: locals_of([library[item], library[np.int64(item)]]),
    "get_many": lambda library, item: locals_of(library.get_many([item, 99, item])),
    "vector": lambda library, item: library.vector(item).tolist(),
    "vectors_of": lambda library, item: library.snapshot().vectors_of([item, item]).tolist(),
    "parse_query": lambda library, item: library.parse_query("red tag:sunny"),
    "encoder": lambda library, item: (library.encoder.name, library.fast_encoder),
    "search_many": lambda library, item: [
        locals_of(found) for found in library.search_many(["red", item], 3)
    ],
    "embed_ahead": lambda library, item: library.embed_ahead([]),
    "suggestions": lambda library, item: library.suggestions(),
    "facet": lambda library, item: library.facet("folder", within=""),
    "timeline": lambda library, item: library.timeline(sort="oldest"),
    "duplicates": lambda library, item: groups_of(library.duplicates()),
    "some duplicates": lambda library, item: groups_of(library.duplicates("year:2020")),
    "concepts": lambda library, item: library.concepts(),
    "facts of results": lambda library, item: [
        (hits.model, hits.dim, hits.text_model, hits.notices, hits.library_count, hits.total)
        for hits in (library.search("red", 2), library.browse(2), library.get_many([item]))
    ],
    "table": lambda library, item: library.search("red", 3).to_arrow().column_names,
    "pickle": lambda library, item: len(pickle.loads(pickle.dumps(library))),
    "representation": lambda library, item: (
        f"{PICTURES} pictures" in repr(library),
        library._repr_html_()[:4],
    ),
    "warm": lambda library, item: library.warm(),
}


@pytest.mark.parametrize("name", READS)
def test_a_method_answers_as_for_one_library(name, whole, collection):
    read = READS[name]
    found, expected = (read(library, items_of(library)["BBB"]) for library in (collection, whole))
    assert found == expected


READS_HERE = {
    "original_path": lambda library, item: library.original_path(item),
    "archive_uri": lambda library, item: library.archive_uri(item),
    "unconfirmed": lambda library, item: library.unconfirmed(),
    "sources": lambda library, item: (library.sources().sources, library.sources().missing),
    "skipped": lambda library, item: library.skipped(),
    "failures": lambda library, item: library.failures(),
    "missing_previews": lambda library, item: library.missing_previews(),
    "csv": lambda library, item: exported(library, "csv"),
    "npy": lambda library, item: exported(library, "npy"),
}


@pytest.mark.parametrize("name", READS_HERE)
def test_a_method_joins_the_partitions_of_this_machine(name, whole, local):
    read = READS_HERE[name]
    found, expected = (read(library, items_of(library)["BBB"]) for library in (local, whole))
    assert found == expected


@pytest.mark.parametrize("item", ["x", True, 1.5, None])
def test_what_is_no_id_is_an_error_of_the_user(item, whole, collection):
    for library in (whole, collection):
        with pytest.raises(InputError, match="expected the id of a picture"):
            library[item]


@pytest.mark.parametrize("item", [99, -1, 2**40, 2**70])
def test_an_unknown_id_is_not_found(item, whole, collection):
    for library in (whole, collection):
        with pytest.raises(ItemNotFoundError):
            library[item]
        with pytest.raises(ItemNotFoundError):
            library.vector(item)
        assert item not in library
        assert not library.get_many([item])


def public_methods(kind):
    return {name for name in dir(kind) if not name.startswith("_")}


READ_ONLY = public_methods(LibraryReader) | {
    "concepts",
    "concept",
    "teach",
    "rename_concept",
    "delete_concept",
}
READ_ONLY |= {"export_concepts", "missing_previews"}


@pytest.mark.parametrize("name", sorted(public_methods(Library) - READ_ONLY - {"report"}))
def test_a_method_that_writes_is_refused_in_one_sentence(name, local):
    with pytest.raises(InputError, match=r"cannot be .*; .* its partitions") as caught:
        getattr(local, name)("x")
    assert caught.value.hint


def test_pictures_of_servers_are_not_exported_here(router, tmp_path):
    with pytest.raises(InputError, match="export each partition where it is"):
        router.export(tmp_path / "all.csv")
    assert not list(tmp_path.iterdir())


def test_nothing_is_exported_without_a_partition(local, tmp_path, encoder):
    path = tmp_path / "collection.json"
    body = json.loads(local.info().path.read_text())
    body["partitions"][0]["locations"] = [str(tmp_path / "gone")]
    body["partitions"][1]["locations"] = [str(local._libraries()[1].info().path)]
    path.write_text(json.dumps(body))
    with pytest.raises(LibraryError, match="not all pictures can be exported"):
        Collection.open(path, encoder=encoder).export(tmp_path / "all.csv")


def test_an_export_replaces_no_file_of_the_collection(local):
    path = local.info().path
    before = path.read_bytes()
    for target in (path, local._libraries()[1].info().path / "library.db"):
        for export in (local.export_concepts, lambda target: local.export(target, "json")):
            with pytest.raises(InputError, match="choose another place"):
                export(target)
    assert path.read_bytes() == before


def test_a_closed_collection_says_so(local, encoder):
    path = local.info().path
    with Collection.open(path, encoder=encoder) as closed:
        closed.search("red", 1)
    for read in (lambda: closed.search("red", 1), closed.refresh, closed.info):
        with pytest.raises(LibraryError, match="open it again"):
            read()


def test_words_are_taught_over_http_as_to_one_library(whole, collection):
    found = []
    try:
        for library in (whole, collection):
            taught = request(library, "POST", "/api/concepts", "", {"name": "Rex", "examples": ["BBB"]})
            listed = request(library, "GET", "/api/concepts")
            selected = request(library, "GET", "/api/search", "q=is:rex&limit=200")
            body = {"name": "rex", "new_name": "max"}
            renamed = request(library, "POST", "/api/concepts/rename", "", body)
            deleted = request(library, "POST", "/api/concepts/delete", "", {"name": "max"})
            found.append((taught, listed, selected, renamed, deleted))
    finally:
        for library in (whole, collection):
            for concept in library.concepts():
                library.delete_concept(concept.name)
    assert found[0] == found[1]
    assert [status for status, _ in found[0]] == [200] * 5


def test_a_taught_word_counts_as_in_one_library(whole, collection, tmp_path):
    letters = [items_of(library) for library in (whole, collection)]
    libraries = (whole, collection)
    try:
        for library, ids in zip(libraries, letters, strict=True):
            taught = library.teach("Rex", [ids["AAA"]], [ids["BBB"]])
            assert taught == library.concept("rex")
            assert (taught.examples, taught.counterexamples) == ((ids["AAA"],), (ids["BBB"],))
        found, scores = [], []
        for library in libraries:
            members = sorted(locals_of(library.search("is:rex", 200)))
            others = library.search("-is:rex", 200).total
            hits = library.search("rex", 1)
            listed = request(library, "GET", "/api/search", "q=rex&limit=1")[1]
            mixed = library.search("rex + red", 24)
            assert library.facet("folder").total
            stream = io.BytesIO()
            assert library.export_concepts(stream) == 1
            counts = (others, hits.relevant_count, listed["relevant_count"], mixed.total)
            written = comparable(json.loads(stream.getvalue()))
            reviewed = len(library.duplicates("is:rex").groups)
            scores.append(hits[0].score)
            found.append((members, counts, written, reviewed))
        assert found[0] == found[1]
        assert found[0][0]
        assert scores[0] == pytest.approx(scores[1], abs=0.001)  # the sample has another order
        assert min(scores) > 0.9
        for library in libraries:
            assert library.rename_concept("rex", "Max").name == "Max"
            with pytest.raises(UnknownChoiceError):
                library.search("is:rex")
    finally:
        for library in libraries:
            for concept in library.concepts():
                library.delete_concept(concept.name)
    assert [library.concepts() for library in libraries] == [[], []]


def test_words_of_a_partition_are_those_of_the_collection(whole, tmp_path, encoder):
    whole.teach("rex", [1, 4], [3])
    try:
        collection = split_copy(whole, tmp_path, encoder)
    finally:
        whole.delete_concept("rex")
    (concept,) = collection.concepts()
    assert concept.name == "rex"
    assert sorted(map(local_id, concept.examples)) == [1, 4]
    assert sorted(map(local_id, concept.counterexamples)) == [3]
    assert collection.search("is:rex", 200).total >= 2
