"""`snapseek sync`, `add`, `remove`, `verify`, `repair` and `compact`: what they say, and the exit codes."""

import pytest
from PIL import Image

from conftest import PICTURES
from snapseek.cli import main
from snapseek.library import Library


@pytest.fixture
def indexed(folder, encoder):
    Library.build(folder, folder / ".snapseek", encoder=encoder)
    return folder


@pytest.fixture
def run(capsys):
    def run(*words):
        code = main([str(word) for word in words])
        shown = capsys.readouterr()
        return code, shown.out.splitlines(), shown.err.splitlines()

    return run


def picture(path):
    Image.new("RGB", (8, 8), (9, 9, 9)).save(path)


def test_an_index_says_what_it_skipped(indexed, tiny_model, run):
    picture(indexed / "new.png")
    (indexed / "broken.jpg").write_bytes(b"no picture")
    code, _, notes = run("index", indexed, "--model", tiny_model)
    assert code == 0
    assert "1 added, 1 could not be read (snapseek info --failed), 6 as they were, skipped" in notes
    assert "nothing new, 8 as they were, skipped" in run("index", indexed, "--model", tiny_model)[2]
    again = run("index", indexed, "--model", tiny_model, "--retry-failed")[2]
    assert "1 could not be read (snapseek info --failed), 7 as they were, skipped" in again


def test_sync_tells_what_it_took_up(indexed, run, monkeypatch):
    (indexed / "red.jpg").rename(indexed / "deep" / "scarlet.jpg")
    (indexed / "green.png").unlink()
    picture(indexed / "white.bmp")
    picture(indexed / "new.png")
    told = (0, [], ["1 added, 1 changed, 1 moved, 1 removed, 3 as they were, skipped"])
    assert run("sync", indexed) == told
    monkeypatch.chdir(indexed)
    assert run("sync")[2] == ["nothing new, 6 as they were, skipped"]


def test_sync_of_a_library_and_of_one_of_its_folders(indexed, encoder, tmp_path, run):
    library = tmp_path / "both"
    (tmp_path / "other").mkdir()
    picture(tmp_path / "other" / "one.png")
    Library.build([indexed, tmp_path / "other"], library, encoder=encoder)
    assert run("sync", library)[2] == ["nothing new, 7 as they were, skipped"]
    assert run("sync", tmp_path / "other", "--library", library)[2] == [
        "nothing new, 1 as they were, skipped"
    ]
    code, _, notes = run("sync", indexed, tmp_path / "other")
    assert (code, len(notes)) == (1, 1)
    assert "expected --library L" in notes[0]


def test_a_folder_that_is_away_is_told(indexed, encoder, tmp_path, run):
    Library.build(indexed, tmp_path / "l", encoder=encoder)
    indexed.rename(tmp_path / "away")
    code, _, notes = run("sync", tmp_path / "l")
    assert code == 0
    assert f"{indexed} is not there, or empty: its pictures stay in the library" in notes


def test_add_and_remove(indexed, tmp_path, run):
    picture(tmp_path / "one.png")
    place = ("--library", indexed)
    assert run("add", tmp_path / "one.png", *place)[2] == ["1 added"]
    told = (0, [], ["2 pictures removed from the library; their files stay"])
    assert run("remove", "id:1", tmp_path / "one.png", *place) == told
    assert run("remove", indexed / "deep", *place)[2] == [told[2][0]]
    assert len(Library.open(indexed / ".snapseek")) == len(PICTURES) - 3
    assert (tmp_path / "one.png").exists()
    code, _, notes = run("remove", "id:1", *place)
    assert (code, len(notes)) == (1, 1)
    code, _, notes = run("remove", "id:one", *place)
    assert (code, len(notes)) == (1, 1)


def test_compact_drops_what_was_removed(indexed, run):
    run("remove", "id:2", "--library", indexed)
    code, _, (note,) = run("compact", indexed)
    assert code == 0
    assert "became 1, 1 removed pictures dropped" in note


def test_damage_is_found_and_mended(indexed, run):
    assert run("verify", indexed) == (0, [], [f"{indexed / '.snapseek'} is whole"])
    assert run("repair", indexed)[2] == [f"{indexed / '.snapseek'} is whole; nothing was changed"]
    (shard,) = (indexed / ".snapseek" / "shards").glob("*.snap")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    code, problems, notes = run("verify", indexed)
    assert (code, len(problems)) == (1, 1)
    assert shard.name in problems[0]
    assert notes[-1].endswith(f"mend it with: snapseek repair {indexed / '.snapseek'}")
    code, mended, notes = run("repair", indexed)
    assert (code, mended) == (0, problems)
    assert notes[-1] == f"6 pictures are to be embedded again: snapseek sync {indexed / '.snapseek'}"
    assert run("sync", indexed)[0] == 0
    assert run("verify", indexed)[0] == 0
    assert len(Library.open(indexed / ".snapseek")) == len(PICTURES)


@pytest.mark.parametrize("command", ["sync", "watch", "verify", "repair", "compact", "info"])
def test_no_library_is_one_sentence(command, tmp_path, run):
    code, out, notes = run(command, tmp_path)
    assert (code, out, len(notes)) == (1, [], 1)
    assert "expected a library at" in notes[0]
