"""What a user has confirmed for a library is shown again, and nothing else is."""

import json
import shutil

import pytest

from snapseek.cli import main
from snapseek.errors import ModelError
from snapseek.library import Library
from snapseek.models import Encoder
from snapseek.server.jobs import JobRunner
from tests.support.stranger_library import Stranger, client_of, is_canary, opened
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def stranger(tmp_path, encoder, monkeypatch) -> Stranger:
    return Stranger(tmp_path, encoder, monkeypatch)


def test_what_one_library_may_show_another_may_not(stranger, encoder, tmp_path):
    Library.build(stranger.outside, tmp_path / "mine", encoder=encoder)
    stranger.set_uris(stranger.canary.as_uri())
    with client_of(opened(stranger, encoder)) as client:
        assert client.get("/api/image/1").status_code == 404
    with client_of(Library.open(tmp_path / "mine", encoder=encoder)) as client:
        assert is_canary(client.get("/api/image/1").content)


def test_a_changed_copy_of_my_library_is_not_mine(tmp_path, folder, encoder):
    first, copy = tmp_path / "mine" / "library", tmp_path / "downloads" / "library"
    Library.build(folder, first, encoder=encoder)
    shutil.copytree(first, copy)
    assert Library.open(first, encoder=encoder).unconfirmed() == ()
    library = Library.open(copy, encoder=encoder)
    assert library.unconfirmed() == (folder,)
    with client_of(library) as client:
        assert client.get("/api/image/1").status_code == 404
    library.add(folder)
    ids = [Library.open(path, encoder=encoder).snapshot().settings["id"] for path in (first, copy)]
    assert ids[0] != ids[1]
    assert [Library.open(path, encoder=encoder).unconfirmed() for path in (first, copy)] == [(), ()]


def test_my_library_is_mine_after_a_move_and_through_a_link(tmp_path, folder, encoder):
    Library.build(folder, tmp_path / "library", encoder=encoder)
    (tmp_path / "far").mkdir()
    shutil.move(tmp_path / "library", tmp_path / "far" / "moved")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "moved")
    for path in (tmp_path / "far" / "moved", tmp_path / "link"):
        assert Library.open(path, encoder=encoder).unconfirmed() == ()


def test_serve_and_sync_say_how_to_confirm(stranger, encoder, capfd, monkeypatch):
    stranger.set_source(stranger.outside)
    monkeypatch.setattr("snapseek.server.serve", lambda *_, **__: None)
    from snapseek.cli import serve as command

    class Options:
        fast_model = token = None
        host, port, open, insecure = "127.0.0.1", 0, False, False
        allow_origin = allow_host = trusted_proxy = ()
        root_path = ""
        watch = False

    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    library = opened(stranger, encoder)
    command.serve_library(library, Options(), JobRunner(), follow=["sync"], sync_first=False)
    said = capfd.readouterr().err
    assert said.count("which you have not added yourself") == 1
    assert f"snapseek add {stranger.outside} --library {stranger.path}" in said


def test_a_library_of_an_earlier_version_goes_on_and_is_confirmed_by_add(tmp_path, folder, encoder, capfd):
    """Its pictures are elsewhere, and it has no id: one sentence, and `add` confirms them."""
    model = write_tiny_model(tmp_path / "model")
    library = Library.build(folder, tmp_path / "far" / "library", encoder=Encoder.load(model))
    path = library.info().path
    stripped = Stranger.__new__(Stranger)
    stripped.path = path
    stripped.execute("DELETE FROM settings WHERE name = 'id'")
    old = Library.open(path, encoder=encoder)
    assert len(old.search("red")) == 6
    assert old.unconfirmed() == (folder,)
    assert (old.sync().unconfirmed, len(old)) == ((folder,), 6)
    with client_of(old) as client:
        assert client.get("/api/image/1").status_code == 404
        report = old.add(folder)  # the server sees it at once
        assert (report.unchanged, report.added, report.unconfirmed) == (6, 0, ())
        assert client.get("/api/image/1").status_code == 200
    again = Library.open(path, encoder=encoder)
    assert (again.unconfirmed(), again.sync().unconfirmed) == ((), ())


def test_allow_root_holds_for_one_run(stranger, encoder):
    stranger.set_uris(stranger.canary.as_uri())
    stranger.set_source(stranger.outside)
    allowed = opened(stranger, encoder, allow_roots=[stranger.outside])
    with client_of(allowed) as client:
        assert is_canary(client.get("/api/image/1").content)
    assert allowed.unconfirmed() == ()
    assert allowed.sync().unconfirmed == ()
    assert opened(stranger, encoder).unconfirmed() == (stranger.outside,)


def test_a_model_folder_is_loaded_once_the_user_names_it(tmp_path, folder, monkeypatch):
    model = write_tiny_model(tmp_path / "model")
    path = tmp_path / "library"
    Library.build(folder, path, encoder=Encoder.load(model))
    assert len(Library.open(path).search("red")) == 6
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "another user"))
    with pytest.raises(ModelError, match="name it with --allow-root DIR"):
        Library.open(path).search("red")
    assert len(Library.open(path, allow_roots=[model]).search("red")) == 6


def test_a_damaged_configuration_confirms_nothing(tmp_path, folder, encoder, monkeypatch):
    config = tmp_path / "config"
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(config))
    Library.build(folder, tmp_path / "library", encoder=encoder)
    (file,) = (config / "libraries").iterdir()
    assert json.loads(file.read_text())["roots"] == [str(folder)]
    for content in ("", "[]", '{"roots": 1}', '{"roots": [1], "urls": 1, "models": {}}', "\0", "[" * 9999):
        file.write_text(content)
        assert Library.open(tmp_path / "library", encoder=encoder).unconfirmed() in ((), (folder,))


def test_a_configuration_that_cannot_be_written_stops_nothing(tmp_path, folder, encoder, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "file" / "config"))
    library = Library.build(folder, tmp_path / "library", encoder=encoder)
    assert len(library) == 6
    assert "pass them as --allow-root to serve and sync" in caplog.text


def test_the_command_adds_and_confirms(tmp_path, folder, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["index", "pictures", "--library", "library"]) == 0
    assert main(["sync", "--library", "library"]) == 0
    assert "which you have not added yourself" not in capfd.readouterr().err
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "another user"))
    shutil.move("library", tmp_path / "far" if (tmp_path / "far").mkdir() else tmp_path / "far" / "library")
    assert main(["sync", "--library", "far/library"]) == 0
    assert capfd.readouterr().err.count("which you have not added yourself") == 1
    assert main(["sync", "--library", "far/library", "--allow-root", "pictures"]) == 0
    assert main(["add", "pictures", "--library", "far/library"]) == 0
    assert main(["sync", "--library", "far/library"]) == 0
    assert "which you have not added yourself" not in capfd.readouterr().err
