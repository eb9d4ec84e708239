"""`snapseek collection`, and the commands that read a collection where they read a library."""

import json
import shutil

import pytest

from snapseek.cli.main import main
from snapseek.library import Library
from tests.conftest import write_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_model):
    directory = tmp_path_factory.mktemp("command")
    for name in ("a", "b"):
        write_pictures(directory / name)
        Library.build(directory / name, directory / f"{name}.snapseek", encoder=_encoder(tiny_model))
    return directory


def _encoder(tiny_model):
    from snapseek.models import Encoder

    return Encoder.load(tiny_model)


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_collection_is_made_changed_and_verified(folder, tmp_path, capsys):
    path = tmp_path / "collection.json"
    code, out, err = run(capsys, "collection", "create", path, folder / "a.snapseek")
    assert (code, out.split()[:2]) == (0, ["0", "a"]), err
    assert run(capsys, "collection", "add", path, folder / "b.snapseek", "--name", "second")[0] == 0
    assert run(capsys, "collection", "verify", path)[:2] == (0, "a: ok\nsecond: ok\n")
    entries = json.loads(run(capsys, "collection", "info", path, "--json")[1])["partitions"]
    assert [(entry["number"], entry["name"]) for entry in entries] == [(0, "a"), (1, "second")]
    assert run(capsys, "collection", "add", path, folder / "a.snapseek")[0] == 0
    assert "second" in run(capsys, "collection", "info", path)[1]
    assert run(capsys, "collection", "remove", path, "a")[0] == 0
    assert run(capsys, "collection", "add", path, folder / "a.snapseek")[1].split()[:2] == ["2", "a"]


def test_commands_that_read_take_a_collection(folder, tmp_path, capsys):
    path = tmp_path / "collection.json"
    run(capsys, "collection", "create", path, folder / "a.snapseek", folder / "b.snapseek")
    code, out, err = run(capsys, "search", "red", "--library", path, "--json")
    found = json.loads(out)
    assert (code, len({hit["id"] for hit in found})) == (0, len(found)), err
    assert {hit["id"] >> 36 for hit in found} == {0, 1}
    assert "pictures" in run(capsys, "info", path)[1]
    marked = str(found[0]["id"])
    assert "1 examples" in run(capsys, "teach", "rex", marked, "--library", path)[2]
    assert run(capsys, "concepts", "--library", path)[1].startswith("rex ")
    assert marked in run(capsys, "search", "is:rex", "--library", path, "--json")[1]
    assert run(capsys, "concepts", "delete", "rex", "--library", path)[0] == 0
    code, out, _ = run(capsys, "duplicates", path, "--json")
    assert (code, json.loads(out)["compared"]) == (0, 12)
    assert run(capsys, "export", tmp_path / "all.jsonl", "--library", path)[0] == 0
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 12
    assert run(capsys, "search", "red", "--library", tmp_path, "-k", "1")[0] == 0


def test_a_missing_partition_is_one_line(folder, tmp_path, capsys):
    path = tmp_path / "collection.json"
    run(capsys, "collection", "create", path, folder / "a.snapseek", folder / "b.snapseek")
    body = json.loads(path.read_text())
    body["partitions"][1]["locations"] = [str(tmp_path / "gone")]
    path.write_text(json.dumps(body))
    code, out, err = run(capsys, "search", "red", "--library", path)
    assert code == 0
    assert out
    assert "this partition is missing: b: expected a library at" in err
    code, out, _ = run(capsys, "collection", "verify", path)
    assert code == 1
    assert out.startswith("a: ok\nb: ")


def test_a_library_that_took_the_place_of_another_is_a_problem(folder, tmp_path, capsys):
    for name in ("a", "b"):
        shutil.copytree(folder / f"{name}.snapseek", tmp_path / name)
    path = tmp_path / "collection.json"
    run(capsys, "collection", "create", path, tmp_path / "a", tmp_path / "b")
    shutil.rmtree(tmp_path / "b")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    code, out, _ = run(capsys, "collection", "verify", path)
    assert code == 1
    assert out == "a: ok\nb: b: the library of partition a is there, too\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "MANIFEST", "FOLDER/gone"], "expected a library at"),
        (["create", "MANIFEST", "http://127.0.0.1:1"], "cannot be added"),
        (["create", "MANIFEST", "http://user@host"], "SNAPSEEK_PARTITION_TOKEN"),
        (["create", "MANIFEST", "FOLDER/a.snapseek", "--deadline", "-1"], "deadline_s"),
        (["add", "MANIFEST", "FOLDER/a.snapseek"], "snapseek collection create"),
        (["verify", "MANIFEST"], "snapseek collection create"),
    ],
)
def test_a_mistake_is_one_error_with_a_hint(arguments, message, folder, tmp_path, capsys):
    words = [
        word.replace("MANIFEST", str(tmp_path / "c.json")).replace("FOLDER", str(folder))
        for word in arguments
    ]
    code, out, err = run(capsys, "collection", *words)
    assert (code, out) == (1, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "c.json").exists()


@pytest.mark.parametrize("command", [["sync", "--library"], ["verify"], ["compact"]])
def test_commands_that_need_one_library_say_so(command, folder, tmp_path, capsys):
    path = tmp_path / "collection.json"
    run(capsys, "collection", "create", path, folder / "a.snapseek")
    code, _, err = run(capsys, *command, path)
    assert code == 1
    assert "a collection, which is only read" in err
