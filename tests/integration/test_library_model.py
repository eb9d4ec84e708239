"""The model of a library is kept by every command that does not name another one."""

import shutil

import pytest

from snapseek import Encoder, Library
from snapseek.cli import main
from snapseek.errors import ModelMismatchError
from snapseek.models.catalogue import RECOMMENDED
from snapseek.models.hub.ref import ModelRef
from snapseek.models.hub.resolve import default_model, folder_of
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def indexed(folder, tiny_model):
    """A folder whose library was made with another model than the starter."""
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    return folder


def fingerprint(folder):
    return Library.open(folder / ".snapseek").info().fingerprint


COMMANDS = {
    "index": ["index", "FOLDER"],
    "index into a library": ["index", "FOLDER", "--library", "FOLDER/.snapseek"],
    "index another folder": ["index", "OTHER", "--library", "FOLDER/.snapseek"],
    "index again what failed": ["index", "FOLDER", "--retry-failed"],
    "open": ["open", "FOLDER", "--no-serve"],
    "a folder alone": ["FOLDER", "--no-serve"],
    "add": ["add", "OTHER/new.jpg", "--library", "FOLDER"],
    "sync": ["sync", "--library", "FOLDER"],
    "compact": ["compact", "FOLDER"],
    "previews": ["previews", "FOLDER"],
    "verify": ["verify", "FOLDER"],
    "repair": ["repair", "FOLDER"],
    "remove": ["remove", "1", "--library", "FOLDER"],
    "search": ["search", "red", "--library", "FOLDER"],
    "info": ["info", "FOLDER"],
}


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_without_a_model_keeps_the_model(indexed, tmp_path, command, capsys):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(indexed / "red.jpg", other / "new.jpg")
    shutil.copy(indexed / "red.jpg", indexed / "later.jpg")
    before = fingerprint(indexed)
    words = [word.replace("FOLDER", str(indexed)).replace("OTHER", str(other)) for word in COMMANDS[command]]
    assert main(words) == 0, capsys.readouterr().err
    assert fingerprint(indexed) == before
    assert (
        Library.open(indexed / ".snapseek").search("red", limit=1)[0].uri.endswith(("red.jpg", "later.jpg"))
    )


def test_build_without_an_encoder_keeps_the_model(indexed, tiny_model):
    before = fingerprint(indexed)
    shutil.copy(indexed / "red.jpg", indexed / "later.jpg")
    library = Library.build(indexed, indexed / ".snapseek")
    assert library.report is not None
    assert (library.report.added, library.report.updated) == (1, 0)
    assert (library.encoder.name, fingerprint(indexed)) == (str(tiny_model), before)


def test_another_model_is_announced_with_its_cost(indexed, capsys):
    capsys.readouterr()
    assert main(["index", str(indexed), "--model", "starter"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "embedded again" in line]
    assert "All 6 pictures are embedded again with starter: about 1 minutes" in line
    assert fingerprint(indexed) == Encoder.load("starter").space


def test_a_change_of_the_files_of_the_model_is_an_error(folder, tmp_path):
    model = write_tiny_model(tmp_path / "model")
    library = Library.build(folder, tmp_path / "library", encoder=Encoder.load(model))
    before = library.info().fingerprint
    write_tiny_model(model, mean=(0.4, 0.5, 0.6))
    with pytest.raises(ModelMismatchError) as caught:
        Library.build(folder, tmp_path / "library")
    assert "--model" in (caught.value.hint or "")
    assert Library.open(tmp_path / "library").info().fingerprint == before


def test_a_new_library_gets_the_starter(folder, tmp_path):
    assert Library.build(folder, tmp_path / "new").encoder.name == "starter"


def test_a_new_library_gets_the_model_of_the_environment(folder, tmp_path, tiny_model, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_MODEL", str(tiny_model))
    assert main(["index", str(folder), "--library", str(tmp_path / "new")]) == 0
    assert Library.open(tmp_path / "new").encoder.name == str(tiny_model)


def test_the_default_is_the_recommended_model_once_it_is_complete(tmp_path, tiny_model):
    ref = ModelRef.parse(RECOMMENDED)
    assert ref is not None
    folder = folder_of(ref, tmp_path)
    assert default_model(tmp_path) == "starter"
    folder.mkdir(parents=True)
    for path in (path for path in tiny_model.rglob("*") if path.is_file()):
        shutil.copy(path, folder / path.name)
    assert default_model(tmp_path) == RECOMMENDED
    (folder / "vision_model.onnx").unlink()
    assert default_model(tmp_path) == "starter"


def test_an_index_with_the_starter_names_the_way_to_a_better_model(folder, tmp_path, tiny_model, capsys):
    assert main(["index", str(folder), "--library", str(tmp_path / "new")]) == 0
    offers = [line for line in capsys.readouterr().err.splitlines() if "snapseek upgrade" in line]
    assert offers == [
        "this is the small built-in model; CLIP understands sentences: snapseek upgrade "
        "(downloads 696 MB), or snapseek upgrade small (28 MB)"
    ]
    assert main(["index", str(folder), "--library", str(tmp_path / "l"), "--model", str(tiny_model)]) == 0
    assert "snapseek upgrade" not in capsys.readouterr().err
