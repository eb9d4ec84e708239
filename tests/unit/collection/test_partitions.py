"""Partitions that are served elsewhere: whatever they do, the others answer, and one sentence says why."""

import json
import pickle
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from snapseek.collection import Collection, create_collection, state_cache
from snapseek.collection.manifest import read_manifest
from snapseek.errors import FormatError, InputError, ItemNotFoundError, OutOfRangeError, PartitionError
from tests.support.partition_servers import (
    honest,
    late,
    only,
    partition_servers,
    times,
    with_arrays,
    with_fields,
)
from tests.support.partitions import pictures, split_columns, write_library

ROWS = 40
PARTS = 2


@pytest.fixture(scope="module")
def libraries(tmp_path_factory, encoder):
    directory = tmp_path_factory.mktemp("parts")
    vectors, columns = pictures(np.random.default_rng(3), ROWS, encoder.dim)
    return [
        write_library(
            directory / str(part),
            encoder,
            vectors[part::PARTS],
            split_columns(columns, range(part, ROWS, PARTS)),
        )
        for part in range(PARTS)
    ]


@pytest.fixture
def servers(libraries):
    with partition_servers(*libraries) as started:
        yield started


@pytest.fixture
def manifest(servers, tmp_path):
    path = tmp_path / "collection.json"
    create_collection(path, [[server.address] for server in servers], deadline_s=5)
    return path


def with_deadline(path, seconds):
    body = json.loads(path.read_text())
    path.write_text(json.dumps({**body, "deadline_s": seconds}))


def opened(path, encoder):
    return Collection.open(path, encoder=encoder)


def uris(hits):
    return [hit.uri for hit in hits]


def test_servers_answer_as_the_libraries_do_here(manifest, libraries, tmp_path, encoder):
    here = tmp_path / "here.json"
    create_collection(here, [[str(library.info().path)] for library in libraries])
    served, local = opened(manifest, encoder), opened(here, encoder)
    for mode in ("clip", "words", "both", "auto"):
        for dedup in (False, True):
            found = served.search("red gate", 30, mode=mode, dedup=dedup, where="-rating:0")
            assert list(found) == list(
                local.search("red gate", 30, mode=mode, dedup=dedup, where="-rating:0")
            )
            assert (found.partitions.ok, found.partitions.total, found.partitions.missing) == (2, 2, ())
    assert list(served.browse(ROWS, sort="newest")) == list(local.browse(ROWS, sort="newest"))
    assert served.version == local.version
    assert len(served) == ROWS


DEEP: dict[str, object] = {}
for _ in range(100):
    DEEP = {"a": [DEEP]}


def with_records(change):
    """Answer with records that are changed one by one."""

    def changed(_request, answer):
        data, ends = answer.arrays["records"].tobytes(), [0, *answer.arrays["record_ends"].tolist()]
        texts = [change(data[low:high]) for low, high in pairwise(ends)]
        ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
        arrays = {"records": np.frombuffer(b"".join(texts), np.uint8), "record_ends": ends}
        return replace(answer, arrays={**answer.arrays, **arrays})

    return changed


LIES = {
    "garbage": (lambda request, answer: b"garbage", "cannot be read"),
    "an error": (lambda request, answer: 500, "status 500"),
    "no frame": (lambda request, answer: answer.encode()[:-1], "cannot be read"),
    "many ids": (only("rank", times(40)), "ids"),
    "repeated ids": (only("rank", times(2)), "ids that repeat"),
    "a huge count": (only("rank", with_fields(count=10**6)), "miscounts"),
    "a small count": (only("rank", with_fields(count=1)), "miscounts"),
    "no count": (only("rank", with_fields(count=None)), "count"),
    "wrong scores": (only("rank", with_arrays(scores=np.full(20, 7, np.float32))), "cosines"),
    "no numbers": (only("rank", with_arrays(scores=np.full(20, np.nan, np.float32))), "cosines"),
    "few scores": (only("rank", with_arrays(scores=np.zeros(1, np.float32))), "another shape"),
    "no records": (only("records", with_arrays(records=np.zeros(0, np.uint8))), "records"),
    "bad records": (only("records", with_records(lambda _: b"7")), "record"),
    "no JSON": (only("records", with_records(lambda text: text[:-1])), "no JSON"),
    "lost records": (
        only("records", with_arrays(ids=np.zeros(0, np.int64))),
        "records",
    ),
    "deep records": (
        only("records", with_records(lambda text: json.dumps({**json.loads(text), "meta": DEEP}).encode())),
        "a record of another shape",
    ),
    "bad previews": (only("records", with_arrays(previews=np.zeros(99, np.uint8))), "previews"),
    "no version": (with_fields(version=7), "version"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_partition_that_answers_wrongly_is_left_out(lie, manifest, servers, encoder):
    collection = opened(manifest, encoder)
    expected = [uri for uri in uris(collection.search("red gate", 60)) if _is_of(0, uri)]
    servers[1].behave, problem = LIES[lie]
    found = collection.search("red gate", 60)
    assert uris(found) == expected
    assert found.total == len(expected) == ROWS // PARTS
    assert (found.partitions.ok, found.partitions.total) == (1, 2)
    (sentence,) = found.partitions.missing
    assert problem in sentence, sentence
    assert found.version != collection.version


def _is_of(part, uri):
    return int(uri.rpartition("/")[2].removesuffix(".jpg")) % PARTS == part


STATES = {
    "another model": (with_fields(fingerprint="ab" * 16), "another model"),
    "another dim": (with_fields(dim=7), "another model"),
    "older": (with_fields(next_id=3), "older than the manifest"),
    "another count": (with_fields(count=3), "miscounts"),
    "an impossible count": (with_fields(count=10**9, commit="00" * 16), "miscounts"),
    "a negative count": (with_fields(count=-1), "count"),
    "unknown kinds": (with_fields(kinds={"a": "b"}), "kind"),
}


@pytest.mark.parametrize("state", STATES)
def test_a_partition_that_does_not_fit_the_manifest_is_left_out(state, manifest, servers, encoder):
    change, problem = STATES[state]
    servers[1].behave = only("describe", change)
    collection = opened(manifest, encoder)
    found = collection.search("red gate", 60)
    assert len(found) == ROWS // PARTS
    assert problem in found.partitions.missing[0]
    assert [partition.problem is None for partition in collection.partitions()] == [True, False]
    servers[1].behave = honest
    assert collection.refresh()
    assert len(collection.search("red gate", 60)) == ROWS


def test_a_partition_that_never_answers_costs_the_deadline_once(manifest, servers, encoder):
    with_deadline(manifest, 0.3)
    collection = opened(manifest, encoder)
    servers[1].behave = only("rank", lambda request, answer: None)
    start = time.monotonic()
    found = collection.search("red gate", 60)
    assert len(found) == ROWS // PARTS
    assert "within 0.3 seconds" in found.partitions.missing[0]
    assert 0.3 <= time.monotonic() - start < 3


def test_a_partition_that_vanishes_is_left_out_and_comes_back(manifest, servers, libraries, encoder):
    collection = opened(manifest, encoder)
    with partition_servers(libraries[1]) as (other,):
        body = json.loads(manifest.read_text())
        body["partitions"][1]["locations"] = [other.address]
        manifest.write_text(json.dumps(body))
        collection.refresh()
        assert len(collection.search("red gate", 60)) == ROWS
    found = collection.search("red gate", 60)
    assert len(found) == ROWS // PARTS
    assert ": it" in found.partitions.missing[0]
    with pytest.raises(ItemNotFoundError):
        _ = collection[2**36 + 1]


def test_without_any_partition_one_error_says_why(manifest, servers, encoder):
    collection = opened(manifest, encoder)
    for server in servers:
        server.behave = lambda request, answer: 503
    with pytest.raises(PartitionError, match=r"no partition can answer: .*status 503.*status 503"):
        collection.search("red gate")


def test_the_breaker_leaves_a_failing_server_alone(manifest, servers, encoder, monkeypatch):
    monkeypatch.setattr(state_cache, "_CHECK_INTERVAL_S", 1000)
    with_deadline(manifest, 0.6)
    collection = opened(manifest, encoder)
    collection.search("red gate")
    before = servers[1].operations.count("rank")
    servers[1].behave = only("rank", lambda request, answer: None)
    for _ in range(3):
        collection.search("red gate")
    found = collection.search("red gate")
    assert servers[1].operations.count("rank") == before + 3
    assert "not queried for a while" in found.partitions.missing[0]


@pytest.fixture
def replicated(libraries, tmp_path):
    """Two partitions with two servers each, and the manifest."""
    with partition_servers(*libraries, *libraries) as started:
        path = tmp_path / "replicated.json"
        locations = [[started[part].address, started[part + PARTS].address] for part in range(PARTS)]
        create_collection(path, locations, deadline_s=5)
        yield started, path


@pytest.mark.parametrize("lie", ["garbage", "an error", "wrong scores", "lost records"])
def test_a_replica_answers_for_one_that_answers_wrongly(lie, replicated, encoder):
    servers, path = replicated
    collection = opened(path, encoder)
    expected = list(collection.search("red gate", 60))
    servers[1].behave, _ = LIES[lie]
    found = collection.search("red gate", 60)
    if lie != "lost records":  # only the merged result shows that records are missing
        assert list(found) == expected
        assert found.partitions.ok == 2


def test_a_slow_replica_is_hedged(replicated, encoder):
    servers, path = replicated
    collection = opened(path, encoder)
    collection.search("red gate")
    servers[0].behave = late(3)
    start = time.monotonic()
    assert collection.search("red gate", 60).partitions.ok == 2
    assert time.monotonic() - start < 2
    assert servers[2].operations


def test_a_query_stays_with_the_state_that_it_began_with(replicated, encoder):
    servers, path = replicated
    collection = opened(path, encoder)
    expected = list(collection.search("red gate", 60))
    servers[0].behave = only("records", with_fields(version="another"))
    found = collection.search("red gate", 60)
    assert list(found) == expected


def test_the_token_of_partitions_is_sent(manifest, servers, encoder, monkeypatch):
    for server in servers:
        server.token = "a token of partitions"
    assert "SNAPSEEK_PARTITION_TOKEN" in opened(manifest, encoder).partitions()[0].problem
    monkeypatch.setenv("SNAPSEEK_PARTITION_TOKEN", "a token of partitions")
    assert len(opened(manifest, encoder).search("red gate", 60)) == ROWS


def test_adding_a_partition_needs_the_same_model(manifest, servers):
    before = read_manifest(manifest)
    servers[1].behave = only("describe", with_fields(fingerprint="ab" * 16))
    body = json.loads(manifest.read_text())
    body["partitions"] = body["partitions"][:1]
    manifest.write_text(json.dumps(body))
    from snapseek.collection import add_partition
    from snapseek.errors import ModelMismatchError

    with pytest.raises(ModelMismatchError):
        add_partition(manifest, [servers[1].address])
    servers[1].behave = honest
    entry = add_partition(manifest, [servers[1].address])
    assert (entry.number, read_manifest(manifest).next_number) == (2, 3)
    assert before.partitions[1].number == 1


def test_one_library_is_not_two_partitions(servers, libraries, tmp_path):
    with partition_servers(libraries[0]) as (replica,):
        with pytest.raises(InputError, match="commas"):
            create_collection(tmp_path / "c.json", [[servers[0].address], [replica.address]])
        with pytest.raises(InputError, match="same library"):
            create_collection(tmp_path / "c.json", [[servers[0].address, servers[1].address]])
        create_collection(tmp_path / "c.json", [[servers[0].address, replica.address]])


def test_a_collection_bounds_what_a_page_holds(manifest, encoder):
    collection = opened(manifest, encoder)
    with pytest.raises(OutOfRangeError, match="up to 10000"):
        collection.search("red gate", 10_001)
    assert len(collection.browse(10_001)) == len(collection)
    assert len(collection.browse(10, offset=10_000, sort="newest")) == 0
    assert len(collection.browse(10, offset=10**6)) == 0


def test_a_collection_can_be_pickled(manifest, encoder):
    collection = opened(manifest, encoder)
    copy = pickle.loads(pickle.dumps(Collection.open(manifest)))
    assert (len(copy), copy.version) == (len(collection), collection.version)
    assert repr(copy).endswith("40 pictures in 2 of 2 partitions>")


def test_a_manifest_without_partitions_says_how_to_add_one(manifest, encoder):
    body = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**body, "partitions": []}))
    collection = opened(manifest, encoder)
    assert len(collection) == 0
    with pytest.raises(PartitionError, match="snapseek collection add"):
        collection.search("red gate")


def test_a_partition_that_is_added_is_found_without_a_restart(manifest, servers, encoder):
    body = json.loads(manifest.read_text())
    removed = body["partitions"].pop()
    manifest.write_text(json.dumps(body))
    collection = opened(manifest, encoder)
    assert len(collection.search("red gate", 60)) == ROWS // PARTS
    body["partitions"].append(removed)
    manifest.write_text(json.dumps(body))
    assert collection.refresh()
    assert len(collection.search("red gate", 60)) == ROWS
    manifest.write_text("damaged")
    with pytest.raises(FormatError):
        collection.refresh()
    assert len(collection.search("red gate", 60)) == ROWS
