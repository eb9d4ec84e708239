"""`snapseek upgrade` against a hub on loopback, and an upgrade that a server runs while it answers."""

import io
import json
import socket
import time
import urllib.request

import pytest

from snapseek import Encoder, Library
from snapseek.cancellation import OperationCancelledError
from snapseek.cli import main
from snapseek.distil import Figures
from snapseek.errors import StorageError
from snapseek.library import upgrade_cost
from tests.support.embedding_files import write_embeddings
from tests.support.fake_hub import FakeHub
from tests.support.model_specimens import write_split
from tests.support.serve_process import served
from tests.support.vector_rows import unit_rows

REPO = "maker/clip"
IMAGE = "onnx/vision_model.onnx"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    write_split(tmp_path / "repo")
    fake = FakeHub()
    fake.add(REPO, tmp_path / "repo")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with fake.served():
        monkeypatch.setenv("HF_ENDPOINT", fake.url)
        yield fake


@pytest.fixture(autouse=True)
def normal_priority(monkeypatch):
    monkeypatch.setattr("snapseek.cli.upgrade.lower_priority", lambda: None)  # it would last


@pytest.fixture
def indexed(folder, tiny_model):
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    return folder


def model_of(folder):
    return Library.open(folder / ".snapseek").info().model


def upgrade(folder, *more):
    return main(["upgrade", REPO, "--library", str(folder), *more])


def test_an_upgrade_downloads_and_embeds(indexed, hub, capsys):
    before = {hit.id: hit.uri for hit in Library.open(indexed / ".snapseek").browse(99)}
    assert upgrade(indexed, "--yes") == 0, capsys.readouterr().err
    said = capsys.readouterr().err
    assert f"to {REPO}, for {len(before)} pictures" in said
    assert "time: about 1 min at low priority" in said
    assert "are free" in said
    library = Library.open(indexed / ".snapseek")
    assert library.info().model == REPO
    assert {hit.id: hit.uri for hit in library.browse(99)} == before
    assert library.search("dog", limit=1)
    assert upgrade(indexed, "--yes") == 0
    assert f"has the model {REPO} already" in capsys.readouterr().err


def test_nothing_is_fetched_without_a_yes(indexed, hub, capsys, monkeypatch):
    before = model_of(indexed)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert upgrade(indexed) == 1
    assert "pass --yes" in capsys.readouterr().err
    terminal = io.StringIO("n\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    assert upgrade(indexed) == 0
    assert "Go on? [y/N]" in capsys.readouterr().err
    assert hub.requests == []
    assert model_of(indexed) == before


def test_a_yes_on_the_terminal_starts_it(indexed, hub, monkeypatch):
    terminal = io.StringIO("y\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    assert upgrade(indexed) == 0
    assert model_of(indexed) == REPO


def test_an_interrupted_download_is_resumed(indexed, hub, capsys):
    hub.faults[IMAGE] = [50, (500,)]
    assert upgrade(indexed, "--yes") == 1
    assert "vision_model.onnx cannot be downloaded" in capsys.readouterr().err
    assert Encoder.load("starter").name != model_of(indexed) != REPO
    assert upgrade(indexed, "--yes") == 0
    ranges = [wanted for _, path, wanted in hub.requests if path == IMAGE]
    assert ranges == [None, "bytes=50-", "bytes=50-"]


def test_progress_as_json_names_the_stages(indexed, hub, capsys):
    capsys.readouterr()
    assert upgrade(indexed, "--yes", "--progress", "json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert list(dict.fromkeys(line["stage"] for line in lines)) == ["download", "embed", "switch"]
    assert all(0 <= line["done"] <= line["total"] for line in lines)


@pytest.mark.parametrize("network", ["refused", "black hole"])
def test_without_a_network_it_costs_five_seconds_and_a_sentence(
    indexed, tmp_path, monkeypatch, capsys, network
):
    before = model_of(indexed)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        if network == "refused":
            silent.close()
        capsys.readouterr()
        start_s = time.monotonic()
        arguments = ["upgrade", "clip-vit-b-32-int8", "--library", str(indexed), "--yes"]
        assert main(arguments) == 1
        assert time.monotonic() - start_s < 7  # five for the network, and the model of this process
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith(("snapseek:", "hint:"))]
    assert len(said) == 2
    assert "cannot be downloaded: the hub cannot be reached" in said[0]
    assert "(89 MB)" in said[1]
    assert model_of(indexed) == before
    assert len(Library.open(indexed / ".snapseek").search("red", limit=3)) == 3


def test_imports_are_refused_before_anything_is_fetched(indexed, hub, tmp_path, tiny_model, capsys):
    write_embeddings(tmp_path / "vectors", unit_rows(5, dim=3).astype("f2"))
    encoder = Encoder.load(tiny_model)
    Library.import_vectors(tmp_path / "vectors", indexed / ".snapseek", encoder=encoder)
    assert upgrade(indexed, "--yes") == 1
    assert "5 imported vectors" in capsys.readouterr().err
    assert hub.requests == []
    assert upgrade(indexed, "--yes", "--drop-imports") == 0
    assert "imported vectors removed: 5" in capsys.readouterr().err


def test_missing_originals_are_reported_before_the_start(indexed, hub, capsys):
    (indexed / "red.jpg").unlink()
    assert upgrade(indexed, "--yes") == 0
    assert "  1 pictures have no original now" in capsys.readouterr().err


def test_a_full_disk_is_reported_before_the_download(indexed, hub, monkeypatch, capsys):
    usage = upgrade_cost.shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(upgrade_cost.shutil, "disk_usage", lambda path: usage)
    assert upgrade(indexed, "--yes") == 1
    assert "of free disk space" in capsys.readouterr().err
    assert hub.requests == []


def test_a_server_answers_every_request_during_an_upgrade(indexed):
    with served(indexed / ".snapseek", "--no-watch") as address:

        def get(path):
            with urllib.request.urlopen(address + path, timeout=30) as answer:
                assert answer.status == 200
                return json.load(answer)

        models = [get("api/search?q=red")["index"]["model"]]
        body = json.dumps({"kind": "upgrade", "model": "starter"}).encode()
        headers = {"content-type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(address + "api/jobs", body, headers), timeout=30
        ) as answer:
            assert answer.status == 202
        stages, end_s = set(), time.monotonic() + 90
        while models[-1] != "starter" and time.monotonic() < end_s:
            found = get("api/search?q=red")
            models.append(found["index"]["model"])
            assert found["results"]
            stages |= {job["state"] for job in get("api/jobs")["jobs"]}
            get("api/info")
        assert models[-1] == "starter", get("api/jobs")
        assert {"running"} <= stages
        assert get("api/upgrade")["current"] == "starter"


def test_a_slow_text_tower_gets_a_student(indexed, hub, capsys, monkeypatch):
    made = []

    def make(encoder, out, vectors, *, count):
        assert model_of(indexed) == REPO, "it is made after the switch"
        count(1, 2)
        made.append((encoder.name, out, len(vectors)))
        return Figures(1, 1, 1.0, 1.0, 0.75, 1.0, 1.0)

    monkeypatch.setattr("snapseek.distil.fast_student.make_fast_student", make)
    assert upgrade(indexed, "--yes", "--progress", "json") == 0
    said = capsys.readouterr()
    assert "made a fast student for keystrokes: it finds 75% of the model's ten best" in said.err
    assert json.loads(said.out.splitlines()[-1]) == {
        "stage": "student",
        "done": 1,
        "total": 2,
        "failed": 0,
        "skipped": 0,
    }
    library = Library.open(indexed / ".snapseek")
    assert made == [(REPO, indexed / ".snapseek" / "student", len(library))]


@pytest.mark.parametrize("error", [StorageError("the disk is full"), OperationCancelledError()])
def test_an_upgrade_without_its_student_is_done(indexed, hub, capsys, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("snapseek.distil.fast_student.make_fast_student", fail)
    assert upgrade(indexed, "--yes") == 0
    assert model_of(indexed) == REPO
    assert "student" not in capsys.readouterr().err
