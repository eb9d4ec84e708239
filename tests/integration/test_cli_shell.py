"""The command line as people type it: words with a minus, misspelt options, folders below a library."""

import json
import os
import shutil
import socket

import numpy as np
import pytest

from snapseek.cli import main
from snapseek.library import Hits, Library
from snapseek.server import run
from tests.conftest import write_pictures
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


@pytest.fixture(scope="module")
def indexed(tmp_path_factory, tiny_model):
    """A folder with its library inside, that no test changes."""
    folder = write_pictures(tmp_path_factory.mktemp("shell") / "pictures")
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    return folder


@pytest.mark.parametrize("is_behind", [False, True])
@pytest.mark.parametrize(
    ("words", "query"),
    [
        (["white", "-yellow"], "white -yellow"),
        (["white", "-", "yellow"], "white - yellow"),
        (["white", "+yellow"], "white +yellow"),
        (["white", "-2:yellow"], "white -2:yellow"),
        (["white", "-kitten"], "white -kitten"),
        (["red", "-name:red"], "red -name:red"),
        (["-name:red", "red"], "-name:red red"),
        (["red", "-hot"], "red -hot"),
        (["-5", "red"], "-5 red"),
        (["red", "-k", "2", "-white"], "red -white"),
        (["red", "-k2", "-white"], "red -white"),
        (["-k=2", "red", "--dedup", "-white", "--sort=newest"], "red -white"),
        (["red", "--min-score", "-0.5", "-white"], "red -white"),
        (["red", "--min", "-0.5"], "red"),
    ],
)
def test_words_of_a_query_may_begin_with_a_minus(indexed, words, query, is_behind, monkeypatch):
    requests = []
    monkeypatch.setattr(Library, "search", lambda self, request: requests.append(request) or Hits())
    library = ["--library", str(indexed)]
    assert main(["search", *words, *library] if is_behind else ["search", *library, *words]) == 0
    assert requests[0].query == query
    assert requests[0].limit == (
        2 if any(word.startswith("-k") and word != "-kitten" for word in words) else 20
    )


def test_all_after_two_minuses_are_words(indexed, monkeypatch):
    requests = []
    monkeypatch.setattr(Library, "search", lambda self, request: requests.append(request.query) or Hits())
    for words in (["dog", "--", "-snow", "-k"], ["--", "dog", "-snow", "-k"]):
        assert main(["search", "--library", str(indexed), *words]) == 0
    assert requests == ["dog -snow -k"] * 2


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        (["search", "--librar", "x", "--lmit", "5", "red"], "--lmit; did you mean --limit?"),
        (["search", "red", "--path"], None),
        (["index", "--modle", "x", "folder"], "--modle; did you mean --model?"),
        (["serve", "--alow-origin=x"], "--alow-origin; did you mean --allow-origin?"),
        (["models", "pull", "x", "--text-onyl"], "--text-onyl; did you mean --text-only?"),
        (["info", "--zzzzzz"], "unrecognized option --zzzzzz"),
        (["import", "folder", "--libary", "x"], "--libary; did you mean --library?"),
    ],
)
def test_a_misspelt_option_is_named_with_the_nearest(line, hint, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SNAPSEEK_CONFIG", str(tmp_path / "config"))  # no library was opened before
    monkeypatch.chdir(tmp_path)
    if hint is None:  # an abbreviation is none
        assert main(line) == 1
        return
    with pytest.raises(SystemExit) as stopped:
        main(line)
    assert stopped.value.code == 2
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["search", "red", "--paths", "-k", "1"], ["info"], ["export", "--format", "csv", "-"]]
)
def test_a_library_is_found_from_any_folder_below(indexed, command, capsys, monkeypatch):
    monkeypatch.chdir(indexed / "deep")
    if main(command) != 0:
        pytest.fail(capsys.readouterr().err)
    said = capsys.readouterr()
    assert f"library {indexed / '.snapseek'}, found above" in said.err
    assert "red" in said.out or "6 (0 could not be read)" in said.out


def test_a_path_below_a_library_finds_it_and_its_own_one_is_not_announced(indexed, capsys):
    assert main(["search", "red", "--library", str(indexed / "deep")]) == 0
    assert "found above" in capsys.readouterr().err
    assert main(["search", "red", "--library", str(indexed)]) == 0
    assert capsys.readouterr().err == ""
    assert main(["search", "red", "--library", str(indexed / "none")]) == 1
    assert "expected a library at" in capsys.readouterr().err


def test_the_owner_of_a_library_above_is_named(indexed, capsys, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    assert main(["info", str(indexed / "deep")]) == 0
    assert "found above, which belongs to another user" in capsys.readouterr().err


def test_paths_may_end_with_a_null_character(indexed, capfdbinary):
    for line in (["--paths", "-0"], ["-0"], ["--null"]):
        assert main(["search", "red", "-k", "2", "--library", str(indexed), *line]) == 0
        found = capfdbinary.readouterr().out
        assert found.endswith(b"\0")
        assert os.fsencode(indexed / "red.jpg") == found.split(b"\0")[0]
        assert len(found.split(b"\0")) == 3


def test_a_search_without_a_result_says_so(indexed, capsys):
    assert main(["search", "name:nothing", "--json", "--library", str(indexed)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert said.err == "no picture matches this query\n"


def test_facts_as_json(indexed, capsys, tmp_path, tiny_model):
    assert main(["info", "--json", str(indexed)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["failed"], found["folders"]) == (6, 0, [str(indexed)])
    (tmp_path / "p").mkdir()
    shutil.copy(indexed / "red.jpg", tmp_path / "p")
    (tmp_path / "p" / "broken.jpg").write_bytes(b"")
    assert main(["index", str(tmp_path / "p"), "--model", str(tiny_model)]) == 0
    capsys.readouterr()
    assert main(["info", "--failed", "--json", str(tmp_path / "p")]) == 0
    (failure,) = json.loads(capsys.readouterr().out)
    assert failure == {"path": str(tmp_path / "p" / "broken.jpg"), "reason": "the file is empty"}


@pytest.mark.parametrize("name", ["folder", "l.txt", "l.csv", "a.tar"])
def test_an_index_of_nothing_fails_with_the_most_frequent_reason(tmp_path, tiny_model, name, capsys):
    (tmp_path / "folder").mkdir()
    for picture, data in (("a.jpg", b""), ("b.jpg", b""), ("c.png", b"<html>")):
        (tmp_path / "folder" / picture).write_bytes(data)
    (tmp_path / "l.txt").write_text("none/1.jpg\nnone/2.jpg\nftp://x/3.jpg\n")
    (tmp_path / "l.csv").write_text("file_name,text\nnone.jpg,x\n")
    (tmp_path / "a.tar").write_bytes(b"not a tar" * 200)
    reasons = {
        "folder": "for 2 of them the reason is: the file is empty (",
        "l.txt": "No such file or directory (",
        "l.csv": "No such file or directory (",
        "a.tar": "the archive a.tar cannot be read",
    }
    line = ["index", str(tmp_path / name), "--library", str(tmp_path / "l"), "--model", str(tiny_model)]
    for _ in range(2):
        assert main(line) == 1
        said = capsys.readouterr().err
        assert "nothing was indexed" in said
        assert reasons[name] in said
        assert "--failed" in said.splitlines()[-1]


def test_a_picture_that_cannot_be_added_is_a_failure(tmp_path, indexed, tiny_model, capsys):
    library = tmp_path / "l"
    shutil.copytree(indexed / ".snapseek", library)
    (tmp_path / "broken.jpg").write_bytes(b"")
    line = ["add", str(tmp_path / "broken.jpg"), "--library", str(library), "--allow-root", str(tiny_model)]
    assert main(line) == 1
    assert "the file is empty" in capsys.readouterr().err


def test_an_import_lists_the_models_of_that_width(tmp_path, tiny_model, capsys):
    folder = write_embeddings(tmp_path / "e", unit_rows(5, dim=768).astype(np.float64))
    assert main(["import", str(folder)]) == 1
    said = capsys.readouterr().err
    assert "of 768 dimensions" in said
    assert "siglip2-vit-b-16-224" in said
    assert main(["import", str(folder), "--model", str(tiny_model)]) == 1
    assert "siglip2-vit-b-32-256" in capsys.readouterr().err
    other = write_embeddings(tmp_path / "f", unit_rows(5, dim=7))
    assert main(["import", str(other)]) == 1
    assert "no model of `snapseek models` has 7 dimensions" in capsys.readouterr().err


def test_an_import_prints_its_count_and_rate(tmp_path, tiny_model, capsys):
    folder = write_embeddings(tmp_path / "e", unit_rows(50, dim=3).astype(np.float64))
    assert main(["import", str(folder), "--model", str(tiny_model)]) == 0
    said = capsys.readouterr().err
    assert "50 added" in said
    assert "50 vectors in " in said
    assert " a second" in said


def test_a_busy_default_port_means_the_next_free_one(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        first = busy.getsockname()[1]
        with run.open_free_port("127.0.0.1", first) as listener:
            assert first < listener.getsockname()[1] or first > 65_000
        with pytest.raises(run.InputError, match="is in use"):
            run.open_port("127.0.0.1", first)
    with pytest.raises(run.InputError, match="address of this machine"):
        run.open_free_port("203.0.113.7", first)


def test_an_error_of_another_library_is_no_traceback(indexed, monkeypatch, capsys):
    import sqlite3

    def fail(self):
        raise sqlite3.DatabaseError("disk image is malformed")

    monkeypatch.setattr(Library, "info", fail)
    assert main(["info", str(indexed)]) == 1
    assert "DatabaseError: disk image is malformed" in capsys.readouterr().err
