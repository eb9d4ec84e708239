"""Partitions on Ray Serve: replicas answer the router, and start again when they die: `make ray`."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from snapseek.cluster.ray_serve import ServeOptions, served_partitions, without_prefix
from snapseek.collection import Collection, create_collection
from snapseek.collection.collection import TOKEN_VARIABLE
from snapseek.collection.manifest import read_manifest
from snapseek.errors import InputError, MissingArgumentError
from snapseek.library import Library
from tests.conftest import write_pictures

TOKEN = "0123456789abcdef"
BACK_S = 90.0


def write_collection(folder, encoder):
    """Two partitions with the same pictures."""
    libraries = []
    for number in range(2):
        libraries.append(folder / f"part-{number}.snapseek")
        Library.build(write_pictures(folder / f"pictures-{number}"), libraries[-1], encoder=encoder)
    create_collection(folder / "collection.json", [[str(library)] for library in libraries])
    return folder / "collection.json"


def test_replicas_need_a_token(tmp_path, encoder):
    manifest = write_collection(tmp_path, encoder)
    with (
        pytest.raises(MissingArgumentError) as caught,
        served_partitions(manifest, manifest, ServeOptions("")),
    ):
        pass
    assert "SNAPSEEK_TOKEN" in caught.value.hint
    with pytest.raises(InputError), served_partitions(manifest, manifest, ServeOptions("short")):
        pass


def test_partitions_on_servers_are_refused_by_name(tmp_path, encoder):
    manifest = write_collection(tmp_path, encoder)
    manifest.write_text(manifest.read_text().replace('"part-1.snapseek"', '"http://127.0.0.1:9"'))
    options = ServeOptions(TOKEN)
    with pytest.raises(InputError) as caught, served_partitions(manifest, tmp_path / "out.json", options):
        pass
    assert "http://127.0.0.1:9" in caught.value.got
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize("name", ["collection.json", "other.json"])
def test_no_other_collection_is_replaced(name, tmp_path, encoder):
    manifest = write_collection(tmp_path, encoder)
    (tmp_path / "other.json").write_bytes(manifest.read_bytes())
    before = (tmp_path / name).read_bytes()
    with (
        pytest.raises(InputError) as caught,
        served_partitions(manifest, tmp_path / name, ServeOptions(TOKEN)),
    ):
        pass
    assert name in caught.value.expected
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("root_path", ["", "/snapseek-1-0"])
def test_an_application_sees_paths_without_the_prefix(root_path):
    def path_of(request):
        return JSONResponse([request.url.path, request.scope["root_path"]])

    app = without_prefix(Starlette(routes=[Route("/api/{rest:path}", path_of)]))
    with TestClient(app, root_path=root_path) as client:
        assert client.get(f"{root_path}/api/partition").json() == ["/api/partition", ""]


def replica_pids(number):
    """The processes of the replicas of a partition, of this test."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if re.match(rf"ray::ServeReplica:snapseek-[0-9a-f]{{8}}-{number}:", text):
            pids.append(int(path.parent.name))
    return sorted(pids)


@pytest.mark.skipif("SNAPSEEK_RAY" not in os.environ, reason="SNAPSEEK_RAY is not set: make ray")
@pytest.mark.filterwarnings("ignore")  # those of Ray
def test_a_killed_replica_costs_no_answer_and_comes_back(tmp_path, encoder, monkeypatch):
    pytest.importorskip("ray.serve")
    manifest, target = write_collection(tmp_path, encoder), tmp_path / "served.json"
    expected = [(hit.id, hit.uri) for hit in Collection.open(manifest, encoder=encoder).search("red", 20)]
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    options = ServeOptions(TOKEN, replicas=2, port=8199, cpus=0.1)
    try:
        with served_partitions(manifest, target, options):
            assert [one.number for one in read_manifest(target).partitions] == [0, 1]
            collection = Collection.open(target, encoder=encoder)
            before = replica_pids(0)
            assert len(before) == 2
            answers, start, back_s = 0, time.monotonic(), 0.0
            os.kill(before[0], signal.SIGKILL)
            while not back_s or time.monotonic() - start < back_s + 2:
                hits = collection.search("red", 20)
                assert [(hit.id, hit.uri) for hit in hits] == expected
                assert hits.partitions.missing == ()
                answers += 1
                if not back_s and len(set(replica_pids(0)) - {before[0]}) == 2:
                    back_s = time.monotonic() - start
                assert time.monotonic() - start < BACK_S
            sys.stderr.write(f"{answers} answers, none failed; the replica was back in {back_s:.1f} s\n")
        while replica_pids(0):  # they finish what they answer
            assert time.monotonic() - start < 2 * BACK_S
            time.sleep(0.5)
    finally:
        import ray

        ray.shutdown()
