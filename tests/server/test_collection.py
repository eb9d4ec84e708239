"""A collection is served as a library is, and a library is served to routers."""

import json
from contextlib import ExitStack

import numpy as np
import pytest
from PIL import Image

from snapseek.collection import Collection, create_collection
from snapseek.collection.frames import Frame
from snapseek.library import Library
from snapseek.server import create_app
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.partitions import pictures, split
from tests.support.served_app import served_app

ROWS = 40
TOKEN = "a token of partitions"


@pytest.fixture(scope="module")
def pair(tmp_path_factory, encoder):
    vectors, columns = pictures(np.random.default_rng(8), ROWS, encoder.dim)
    parts = [np.arange(0, ROWS, 2), np.arange(1, ROWS, 2)]
    return split(tmp_path_factory.mktemp("served"), encoder, vectors, columns, parts)


@pytest.fixture(scope="module")
def router(pair, tmp_path_factory, encoder):
    """The same partitions, each served with a token."""
    collection, _ = pair
    path = tmp_path_factory.mktemp("router") / "collection.json"
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNAPSEEK_PARTITION_TOKEN", TOKEN)
        addresses = [
            [stack.enter_context(served_app(create_app(library, token=TOKEN)))]
            for library in collection._libraries()
        ]
        create_collection(path, addresses, token=TOKEN)
        yield Collection.open(path, encoder=encoder)


def renamed(results, ids):
    """Results without what differs between libraries: ids become positions, addresses nothing."""
    return [
        {**result, "id": ids[result["id"]], "url": None, "similar": [ids[item] for item in result["similar"]]}
        for result in results
    ]


def positions(app):
    listed = ask(app, "/api/items", "limit=200").json()["results"]
    return {result["id"]: number for number, result in enumerate(listed)}


@pytest.mark.parametrize(
    "query",
    [
        "q=red+gate&limit=9",
        "q=red&mode=both&dedup=1",
        "q=red+gate&mode=auto&offset=5",
        "where=rating:%3E2&sort=size",
    ],
)
def test_answers_are_those_of_one_library(pair, router, query):
    apps = [create_app(library) for library in (*pair, router)]
    found = []
    for app in apps:
        body = ask(app, "/api/search", query).json()
        kept = {name: body[name] for name in ("query", "total", "relevant_count", "filters", "unfinished")}
        found.append((kept, renamed(body["results"], positions(app))))
    assert found[0] == found[1] == found[2]
    assert found[0][1]
    answered = ask(apps[2], "/api/search", query).json()["partitions"]
    assert answered == {"ok": 2, "total": 2, "missing": []}
    assert "partitions" not in ask(apps[1], "/api/search", query).json()


def test_addresses_of_clip_retrieval_answer_as_for_one_library(pair, router):
    apps = [create_app(library) for library in (pair[1], router)]
    found = []
    for app in apps:
        ids = positions(app)
        name = ask(app, "/indices-list").json()[0]
        body = {"text": "red gate", "num_images": 7, "indice_name": name}
        near = ask(app, "/knn-service", method="POST", body=json.dumps(body).encode()).json()
        listed = json.dumps({"ids": [entry["id"] for entry in near], "indice_name": name}).encode()
        columns = ask(app, "/metadata", method="POST", body=listed).json()
        found.append([{**entry, "id": ids[entry["id"]]} for entry in (*near, *columns)])
    assert found[0] == found[1]
    assert len(found[0]) == 14


def test_a_collection_tells_its_partitions_to_operators(router):
    app = create_app(router)
    info = ask(app, "/api/info").json()
    assert [(one["count"], one["problem"]) for one in info["partitions"]] == [(20, None), (20, None)]
    assert ask(app, "/readyz").json() == {"status": "ready", "partitions": {"ok": 2, "total": 2}}
    assert b'snapseek_partition_up{partition="library"} 1.0' in ask(app, "/metrics").body


def test_an_answer_is_cached_until_a_partition_changes(router):
    app = create_app(router)
    tag = ask(app, "/api/search", "q=red").headers["etag"]
    assert (
        ask(app, "/api/search", "q=red", headers=(LOCALHOST, (b"if-none-match", tag.encode()))).status == 304
    )


def test_originals_come_from_the_server_that_has_them(folder, tmp_path, encoder):
    library = Library.build(folder, tmp_path / "library", encoder=encoder)
    with served_app(create_app(library)) as address:
        path = tmp_path / "collection.json"
        create_collection(path, [[address]])
        collection = Collection.open(path, encoder=encoder)
        app = create_app(collection)
        for hit in collection.browse():
            reply = ask(app, f"/api/image/{hit.id}")
            assert reply.status == 200
            assert reply.body == ask(create_app(library), f"/api/image/{hit.id}").body
            assert (
                ask(
                    app,
                    f"/api/image/{hit.id}",
                    headers=(LOCALHOST, (b"if-none-match", reply.headers["etag"].encode())),
                ).status
                == 304
            )
        assert ask(app, f"/api/image/{2**36 + 1}").status == 404
        assert ask(app, "/api/zip", f"ids={collection.browse(1)[0].id}").status == 200


def operation(app, frame, query=""):
    body = frame if isinstance(frame, bytes) else frame.encode()
    return ask(app, "/api/partition", query, method="POST", body=body)


def test_the_endpoint_refuses_what_no_router_sends(pair, encoder):
    app = create_app(pair[1])
    vector = np.zeros(encoder.dim, np.float32)
    rank = {"op": "rank", "k": 3, "tree": None, "words": None, "mode": "clip", "sort": "relevance"}
    assert operation(app, Frame(rank, {"vector": vector})).status == 200
    concept = {"concept_vectors": vector[None], "concept_min_scores": np.zeros(1, np.float32)}
    assert operation(app, Frame({**rank, "concepts": ["rex"]}, {"vector": vector, **concept})).status == 200
    for wrong in (
        b"",
        b"SNPF\xff\xff\xff\xff{}",
        Frame({"op": "unknown"}),
        Frame({**rank, "k": -1}),
        Frame({**rank, "k": 10**9}),
        Frame({**rank, "sort": "none"}, {"vector": vector}),
        Frame({**rank, "tree": ["if", "caption", "=", {}]}),
        Frame({**rank, "tree": [["not"] * 40]}),
        Frame(rank, {"vector": vector[:2]}),
        Frame(rank, {"vector": vector * np.nan}),
        Frame(rank, {"vector": vector, "excluded": vector}),
        Frame({"op": "listed", "start": 0, "end": 10**7, "tree": None}),
        Frame({"op": "words", "k": 3, "words": "red", "statistics": [1, 2, [3]]}),
        Frame({"op": "records", "include": ["secrets"]}, {"ids": np.arange(3)}),
        Frame({"op": "sample", "share": 9}),
        Frame({"op": "order", "sort": "newest", "samples": -1, "tree": None}),
        Frame({"op": "order", "sort": "none", "samples": 9, "tree": None}),
        Frame({"op": "listed_after", "sort": "newest", "key": 2**63, "item": 0, "end": 1, "tree": None}),
        Frame({"op": "listed_after", "sort": "newest", "key": 0, "item": "0", "end": 1, "tree": None}),
        Frame({"op": "listed_after", "sort": "newest", "key": 0, "item": 0, "end": 10**7, "tree": None}),
        Frame({"op": "facet", "column": "caption", "kind": "text", "contains": "", "tree": None}),
        Frame({"op": "facet", "column": "tags", "kind": "none", "contains": "", "tree": None}),
        Frame({"op": "facet", "column": 7, "kind": "text", "contains": "", "tree": None}),
        Frame({**rank, "concepts": []}, {"vector": vector}),
        Frame({**rank, "concepts": ["rex"]}, {"vector": vector}),
        Frame({**rank, "concepts": ["rex"]}, {"vector": vector, **concept, "concept_vectors": vector}),
        Frame(
            {**rank, "concepts": ["rex"]},
            {"vector": vector, **concept, "concept_marks": np.ones((1, 3), int)},
        ),
        Frame({**rank, "concepts": ["rex", 7]}, {"vector": vector, **concept}),
    ):
        assert operation(app, wrong).status == 400, wrong
    assert operation(app, Frame({"op": "describe"}), "v=00000000").status == 409
    assert operation(create_app(pair[0]), Frame({"op": "describe"})).status == 404
    assert operation(create_app(pair[1], token=TOKEN), Frame({"op": "describe"})).status == 401


def test_a_router_with_the_token_is_not_limited_in_its_rate(pair):
    app = create_app(pair[1], token=TOKEN, allowed_hosts=None)
    body, bearer = Frame({"op": "suggestions"}).encode(), (b"authorization", f"Bearer {TOKEN}".encode())
    client = "203.0.113.5"

    def statuses(count, headers):
        return {
            ask(app, "/api/partition", method="POST", body=body, headers=headers, client=client).status
            for _ in range(count)
        }

    assert statuses(260, (LOCALHOST, bearer)) == {200}
    assert 429 in statuses(260, (LOCALHOST,))


def test_a_picture_can_be_the_query(pair, tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (32, 32), "red").save(path)
    found = [[hit.score for hit in library.search(path, 5)] for library in pair]
    assert found[0] == found[1]


def test_a_query_reads_the_state_that_it_began_with(tmp_path, encoder, folder):
    library = Library.build(folder, tmp_path / "library", encoder=encoder)
    app = create_app(library)
    ids = np.array([hit.id for hit in library.browse()])
    before = library.version
    assert operation(app, Frame({"op": "describe"})).status == 200
    library.remove(int(ids[0]))
    records = Frame({"op": "records", "include": []}, {"ids": ids})
    old = Frame.decode(operation(app, records, f"v={before}").body)
    new = Frame.decode(operation(app, records).body)
    assert (old.fields["version"], len(old.arrays["ids"])) == (before, len(ids))
    assert (new.fields["version"], len(new.arrays["ids"])) == (library.version, len(ids) - 1)


def test_pages_of_one_version_fit_together_while_a_partition_changes(tmp_path, encoder, folder):
    parts = [Library.build(folder, tmp_path / name, encoder=encoder) for name in ("a", "b")]
    path = tmp_path / "collection.json"
    create_collection(path, [[str(part.info().path)] for part in parts])
    collection = Collection.open(path, encoder=encoder)
    pages: dict[str, dict[int, list[int]]] = {}
    whole: dict[str, list[int]] = {}
    for turn in range(8):
        for offset in (0, 3, 6, 9):
            hits = collection.search("red", 3, offset=offset)
            pages.setdefault(hits.version, {})[offset] = [hit.id for hit in hits]
            everything = collection.search("red", 12)
            whole[everything.version] = [hit.id for hit in everything]
        parts[turn % 2].remove(parts[turn % 2].browse(1)[0].id) if turn < 4 else None
        collection.refresh()
    assert len(pages) == 5
    for version, found in pages.items():
        for offset, ids in found.items():
            assert ids == whole[version][offset : offset + 3]
