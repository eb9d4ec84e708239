import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from snapseek import file_kinds
from snapseek.cli import main
from snapseek.cli.main import with_command
from snapseek.library.indexing import skipped
from tests.conftest import PICTURES
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows


@pytest.fixture
def indexed(folder, tiny_model, capsys):
    assert main(["index", str(folder), "--model", str(tiny_model), "--threads", "2"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"model {tiny_model} on CPU, library {folder / '.snapseek'}"
    assert lines[-1].startswith("6 pictures, ")
    return folder


def test_memory_bounds_the_vectors(folder, tiny_model, capsys):
    line = ["index", str(folder), "--model", str(tiny_model), "--memory"]
    assert main([*line, "some"]) == 1
    assert "memory" in capsys.readouterr().err
    assert main([*line, "1MB"]) == 0


def test_search_prints_score_and_path(indexed, capsys):
    assert main(["search", "red", "-k", "2", "--library", str(indexed)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    score, path, why = first.split("  ")
    assert float(score) > float(second.split("  ")[0])
    assert (path, why) == (str(indexed / "red.jpg"), "(file name)")


def test_search_takes_terms_as_shell_arguments(indexed, capsys):
    line = ["search", "-k", "1", "--mode", "clip", "--paths", "--library", str(indexed)]
    for words, name in [
        (["red", "+", "green", "+", "white"], "yellow.gif"),
        (["white", "-", "2:yellow"], "blue.webp"),
        (["a", "red", "photo"], "red.jpg"),
        ([f"image:{indexed}/deep/blue.webp"], "blue.webp"),
        (["--", "-white"], "black.tif"),
    ]:
        assert main([*line, *words]) == 0
        assert capsys.readouterr().out.strip().endswith(name)


def test_a_malformed_query_prints_one_line(indexed, capsys):
    assert main(["search", "red + - green", "--library", str(indexed)]) == 1
    assert "expected a term" in capsys.readouterr().err


def test_an_unfinished_query_is_answered_with_a_hint(indexed, capsys):
    assert main(["search", "red +", "-k", "1", "--library", str(indexed)]) == 0
    printed = capsys.readouterr()
    assert "red.jpg" in printed.out
    assert "Add a word after the plus." in printed.err


def test_an_error_is_printed_with_its_hint(folder, capsys):
    assert main(["index", str(folder), str(folder)]) == 1
    assert capsys.readouterr().err == (
        "snapseek: expected --library L if several folders are indexed into one library, "
        "got 2 folders without it\nhint: pass --library L, or index one folder at a time\n"
    )


def test_search_prints_paths(indexed):
    command = [sys.executable, "-m", "snapseek", "search", "blue", "-k", "1", "--paths", "--library", indexed]
    answer = subprocess.run(command, capture_output=True, check=True)
    assert answer.stdout == os.fsencode(indexed / "deep" / "blue.webp") + b"\n"


def test_search_filters_and_sorts(indexed, capsys):
    library_option = ["--library", str(indexed)]
    assert main(["search", "red in:deep", "--where", "type:gif,webp -name:blue", *library_option]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("yellow.gif")
    assert main(["search", "in:/", "--sort", "newest", "--paths", *library_option]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(PICTURES)
    assert main(["search", "type:png", *library_option]) == 0
    assert capsys.readouterr().out.startswith("       /")
    assert main(["search", "green", "--mode", "words", "--paths", *library_option]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("green.png")
    assert main(["search", "red", "--min-score", "2", "--dedup", *library_option]) == 0
    assert capsys.readouterr().out == ""
    assert main(["search", "red", "--where", "a dog", *library_option]) == 1
    assert "expected filters" in capsys.readouterr().err


def test_search_prints_json(indexed, capsys):
    assert main(["search", "yellow", "-k", "3", "--json", "--library", str(indexed)]) == 0
    hits = json.loads(capsys.readouterr().out)
    assert len(hits) == 3
    assert hits[0]["meta"]["name"] == "yellow.gif"
    assert (hits[0]["width"], hits[0]["height"]) == (60, 40)


def test_the_library_of_this_folder_is_the_default(indexed, capsys, monkeypatch):
    monkeypatch.chdir(indexed)
    assert main(["search", "black", "-k", "1"]) == 0
    assert "black.tif" in capsys.readouterr().out


def test_info(indexed, capsys):
    assert main(["info", str(indexed)]) == 0
    out = capsys.readouterr().out
    assert "pictures  6 (0 could not be read)" in out
    assert str(indexed) in out


def test_imported_vectors_are_searched(tmp_path, tiny_model, capsys):
    folder = write_embeddings(tmp_path / "laion", unit_rows(5, dim=3))
    library_option = ["--library", str(tmp_path / "l")]
    assert main(["import", str(folder), "--model", str(tiny_model), *library_option]) == 0
    assert capsys.readouterr().err.splitlines()[-1].startswith("5 pictures, ")
    assert main(["search", "red", "-k", "5", "--paths", *library_option]) == 0
    assert main(["search", "red", "-k", "1", *library_option]) == 0
    assert "https://pictures.example/0-" in capsys.readouterr().out


def test_a_folder_alone_is_opened(folder, tiny_model, monkeypatch, capsys):
    served = []
    monkeypatch.setattr("snapseek.cli.open._WAITING_S", math.inf)  # a busy machine takes longer
    monkeypatch.setattr(
        "snapseek.server.serve", lambda library, **options: served.append((len(library), options))
    )
    assert main([str(folder), "--model", str(tiny_model), "--port", "0"]) == 0
    ((count, options),) = served
    assert count == len(PICTURES)
    assert (options["host"], options["port"], options["open_browser"]) == ("127.0.0.1", 0, True)


@pytest.fixture(autouse=True)
def same_handler():
    """Restore the handler of Ctrl-C, which `serve` replaces when it returns."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.parametrize("command", ["open", "demo", "serve"])
def test_a_busy_port_is_reported_before_anything_else(command, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SNAPSEEK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        arguments = {"open": [str(folder)], "demo": ["--library", "demo"], "serve": [str(tmp_path / "none")]}
        assert main([command, *arguments[command], "--port", port]) == 1
    error = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is in use" in error
    assert "hint: stop the program that uses it, or choose another port" in error
    assert not (folder / ".snapseek").exists()
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("command", ["open", "demo"])
def test_a_missing_token_is_reported_before_anything_is_indexed(
    command, folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("SNAPSEEK_TOKEN", raising=False)
    library = tmp_path / "new.snapseek"
    assert main([command, str(folder), "--library", str(library), "--host", "0.0.0.0"]) == 1
    assert "expected a token" in capsys.readouterr().err
    assert not library.exists()


def test_serve_opens_the_browser_only_with_its_option(indexed, monkeypatch):
    served = []
    monkeypatch.setattr(
        "snapseek.server.serve", lambda library, **options: served.append(options["open_browser"])
    )
    assert main(["serve", str(indexed)]) == 0
    assert main(["serve", str(indexed), "--open"]) == 0
    assert served == [False, True]


def test_several_folders_need_a_library_option(folder, tiny_model, capsys):
    assert main(["index", str(folder), str(folder), "--model", str(tiny_model)]) == 1
    assert "--library" in capsys.readouterr().err


def test_an_interrupt_prints_one_line(folder, tiny_model, monkeypatch, capsys):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("snapseek.library.Library.build", stop)
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 130
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["search"],
        ["index"],
        ["index", "x", "--threads", "0"],
        ["search", "red", "-k", "0"],
    ],
)
def test_wrong_arguments_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: snapseek" in capsys.readouterr().err


def test_the_command_is_installed_and_python_m_works():
    for command in ([Path(sys.executable).with_name("snapseek")], [sys.executable, "-m", "snapseek"]):
        answer = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        assert answer.stdout.startswith("snapseek 0.")


def test_export_writes_a_file_or_stdout(indexed, tmp_path, capsys):
    line = ["export", "--library", str(indexed)]
    assert main([*line, str(tmp_path / "all.csv")]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"6 pictures in {tmp_path / 'all.csv'}"
    assert (tmp_path / "all.csv").read_text().count("\n") == 7
    assert main([*line, str(tmp_path / "all.xlsx")]) == 1
    assert "expected a format of csv" in capsys.readouterr().err
    command = [sys.executable, "-m", "snapseek", *line, "-", "--format", "jsonl"]
    answer = subprocess.run(command, capture_output=True, check=True)
    assert [json.loads(found)["id"] for found in answer.stdout.splitlines()] == [1, 2, 3, 4, 5, 6]


def test_a_closed_pipe_is_no_error(indexed):
    command = [sys.executable, "-m", "snapseek", "search", "red", "--json", "--library", str(indexed)]
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(command, stdout=writing, stderr=subprocess.PIPE) as process:
        os.close(writing)
        _, complaints = process.communicate(timeout=120)
    assert (process.returncode, complaints) == (141, b"")


def test_a_library_follows_its_folder(indexed, capsys):
    (indexed / "red.jpg").rename(indexed / "moved.jpg")
    shutil.copy(indexed / "deep" / "blue.webp", indexed / "again.webp")
    assert main(["sync", "--library", str(indexed)]) == 0
    said = capsys.readouterr().err
    assert "1 added, 1 moved, 5 unchanged" in said
    assert "7 pictures, " in said
    assert main(["sync", "--library", str(indexed)]) == 0
    assert "7 unchanged" in capsys.readouterr().err


def test_pictures_are_added_and_removed(indexed, tmp_path, capsys):
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copy(indexed / "red.jpg", other / "second.jpg")
    library_option = ["--library", str(indexed)]
    assert main(["add", str(other), *library_option]) == 0
    assert "7 pictures, " in capsys.readouterr().err
    assert main(["remove", "1", str(other), *library_option]) == 0
    said = capsys.readouterr().err
    assert "2 pictures removed; their files stay" in said
    assert (other / "second.jpg").exists()
    assert "5 pictures, " in said
    assert main(["remove", "999", *library_option]) == 1
    assert "999" in capsys.readouterr().err


def test_an_index_reports_unchanged_pictures(indexed, tiny_model, capsys):
    assert main(["index", str(indexed), "--model", str(tiny_model)]) == 0
    assert "6 unchanged" in capsys.readouterr().err


def test_unreadable_and_removed_files_are_not_unchanged_pictures(indexed, tiny_model, capsys):
    (indexed / "broken.jpg").write_text("no picture")
    assert main(["sync", "--library", str(indexed)]) == 0
    assert "6 unchanged, 1 unreadable\n" in capsys.readouterr().err
    assert main(["remove", str(indexed / "red.jpg"), "--library", str(indexed)]) == 0
    capsys.readouterr()
    for command in (["sync", "--library"], ["index", "--model", str(tiny_model)]):
        assert main([*command, str(indexed)]) == 0
        said = capsys.readouterr().err
        assert "5 unchanged, 1 unreadable as before, 1 removed by you before\n" in said
        assert "\n5 pictures, " in said


def test_damage_is_found_and_repaired(indexed, capsys):
    assert main(["verify", str(indexed)]) == 0
    assert "no problems found" in capsys.readouterr().err
    (shard,) = (indexed / ".snapseek" / "shards").glob("*.snap")
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert main(["verify", str(indexed)]) == 1
    found = capsys.readouterr()
    assert shard.name in found.out
    assert "snapseek repair" in found.err
    assert main(["repair", str(indexed)]) == 0
    assert "snapseek sync" in capsys.readouterr().err
    assert main(["sync", "--library", str(indexed)]) == 0
    assert main(["verify", str(indexed)]) == 0


def test_compact_merges_shards(indexed, capsys):
    shutil.copy(indexed / "red.jpg", indexed / "more.jpg")
    assert main(["sync", "--library", str(indexed)]) == 0
    assert main(["remove", "2", "--library", str(indexed)]) == 0
    capsys.readouterr()
    assert main(["compact", str(indexed)]) == 0
    said = capsys.readouterr().err
    assert "nothing to compact" in said  # a small one is kept so
    assert "6 pictures, " in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["open", "", "--no-serve"],
        ["index", ""],
        ["sync", "--library", ""],
        ["remove", ""],
        ["info", ""],
        ["import", "", "--model", "x"],
    ],
)
def test_an_empty_path_is_not_this_folder(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "expected a path" in capsys.readouterr().err


def test_a_misspelt_command_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for words, said in [
        (
            ["serach", "two", "dogs"],
            "expected a command or an existing folder, got 'serach'; did you mean search?",
        ),
        (["Bilder"], "expected a command or an existing folder, got 'Bilder'\n"),
    ]:
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        assert said in capsys.readouterr().err


def test_a_missing_path_is_reported_before_a_model_is_fetched(tmp_path, monkeypatch, capsys):
    def load(*arguments, **options):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("snapseek.models.Encoder.load", load)
    assert main(["index", str(tmp_path / "gone")]) == 1
    assert "expected a folder with pictures" in capsys.readouterr().err
    assert main(["import", str(tmp_path), "--model", "openclip-vit-b-32"]) == 1
    assert "expected vectors in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("module", "printed"),
    [
        ("snapseek.cli.info", b"snapseek: stopped; nothing half-written stays\n"),
        ("snapseek.library", b"snapseek: stopped; nothing half-written stays\n"),
    ],
)
def test_an_interrupt_while_the_command_loads_is_no_traceback(module, printed, tmp_path):
    code = f"""
import sys
class Stop:
    def find_spec(self, name, *rest):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
sys.argv = ["snapseek", "info"]
import snapseek.__main__
"""
    command = [sys.executable, "-c", code]
    stopped = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert (stopped.returncode, stopped.stderr) == (130, printed)


def test_an_import_without_urls_is_reported(tmp_path, tiny_model, capsys):
    write_embeddings(tmp_path, unit_rows(3, 3), URL=pa.array([1, 2, 3]))
    assert main(["import", str(tmp_path), "--model", str(tiny_model)]) == 0
    assert "expected a column of" in capsys.readouterr().err


def test_control_characters_of_names_are_escaped(folder, tiny_model, capsys):
    (folder / "red.jpg").rename(folder / "red\n\x1b[31m.jpg")
    (folder / "broken\n.jpg").write_bytes(b"")
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    assert main(["search", "red", "-k", "1", "--library", str(folder)]) == 0
    assert "/red\\n\\x1b[31m.jpg  " in capsys.readouterr().out
    assert main(["info", str(folder), "--failed"]) == 0
    assert "/broken\\n.jpg: the file is empty\n" in capsys.readouterr().out


def test_an_output_encoding_without_a_letter_is_no_error(folder, tiny_model):
    (folder / "red.jpg").rename(folder / "röt.jpg")
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    line = [sys.executable, "-m", "snapseek", "search", "red", "-k", "1", "--library", str(folder)]
    narrow = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    said = [subprocess.run(words, env=narrow, capture_output=True) for words in (line, [*line, "--json"])]
    assert [one.returncode for one in said] == [0, 0]
    assert said[0].stdout.endswith(b"/r\\xf6t.jpg\n")
    assert json.loads(said[1].stdout)[0]["meta"]["name"] == "röt.jpg"


def test_a_missing_folder_is_reported(indexed, tiny_model, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (20, 20), "pink").save(other / "pink.png")
    line = ["index", str(other), "--library", str(indexed / ".snapseek"), "--model", str(tiny_model)]
    assert main(line) == 0
    shutil.rmtree(other)
    assert main(["index", str(indexed), "--model", str(tiny_model)]) == 0
    assert f"pictures of {other}, which is missing" in capsys.readouterr().err
    assert main(["remove", str(other), "--library", str(indexed)]) == 0
    assert "6 pictures, " in capsys.readouterr().err


def test_a_folder_that_moves_with_its_library_is_the_same(indexed, tiny_model, capsys):
    moved = indexed.rename(indexed.with_name("moved"))
    assert main(["search", "red", "-k", "1", "--paths", "--library", str(moved)]) == 0
    assert capsys.readouterr().out == f"{moved / 'red.jpg'}\n"
    assert main(["index", str(moved), "--model", str(tiny_model)]) == 0
    assert capsys.readouterr().err.splitlines()[1] == "6 unchanged"


def test_skipped_files_are_printed_and_listed(folder, tiny_model, capsys):
    (folder / "a.jxl").write_bytes(b"x")
    (folder / "deep" / "b.jxl").write_bytes(b"x")
    (folder / "album").symlink_to(folder / "deep")
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    said = capsys.readouterr().err
    assert "skipped: 2 JPEG XL pictures (a.jxl, deep/b.jxl), 1 linked folder (album)\n" in said
    assert main(["info", str(folder)]) == 0
    assert "skipped   2 JPEG XL pictures, 1 linked folder\n" in capsys.readouterr().out
    assert main(["info", str(folder), "--skipped"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{folder}/a.jxl: jpeg_xl",
        f"{folder}/deep/b.jxl: jpeg_xl",
        f"{folder}/album: linked_folder",
    ]


def test_a_folder_of_raw_files_alone_says_so(tmp_path, tiny_model, capsys, monkeypatch):
    monkeypatch.setattr(file_kinds, "can_read_raw", lambda: False)
    monkeypatch.setattr(skipped, "can_read_raw", lambda: False)
    for name in ("IMG_1.CR2", "IMG_2.NEF"):
        (tmp_path / name).write_bytes(b"x")
    assert main(["index", str(tmp_path), "--model", str(tiny_model)]) == 1
    said = capsys.readouterr().err
    assert "got 2 RAW files (IMG_1.CR2, IMG_2.NEF)" in said
    assert 'hint: to read them, run: pip install "snapseek[raw]"' in said


def test_exclude_is_remembered(folder, tiny_model, capsys):
    line = ["index", str(folder), "--model", str(tiny_model)]
    assert main([*line, "--exclude", "*.bmp", "--exclude", "deep/er"]) == 0
    assert "4 added\nskipped: 2 excluded files and folders (white.bmp, deep/er)" in capsys.readouterr().err
    assert main(["sync", "--library", str(folder)]) == 0
    assert "4 unchanged\n" in capsys.readouterr().err
    assert main([*line, "--exclude", "!*.bmp"]) == 0
    assert "1 added, 4 unchanged" in capsys.readouterr().err


def test_a_truncated_jpeg_is_read_with_a_note_and_can_be_listed(folder, tiny_model, capsys):
    noise = Image.effect_noise((200, 150), 90).convert("RGB")
    noise.save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:-500])
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    assert "cut.jpg: the JPEG file is truncated" in capsys.readouterr().err
    line = ["search", "is_truncated:true", "--paths", "--library", str(folder)]
    assert main(line) == 0
    assert capsys.readouterr().out == f"{folder / 'cut.jpg'}\n"


def test_the_path_of_a_failure_is_complete(folder, tiny_model, capsys):
    (folder / "broken.jpg").write_bytes(b"")
    assert main(["index", str(folder), "--model", str(tiny_model)]) == 0
    assert f"1 could not be read (snapseek info {folder}/.snapseek --failed)" in capsys.readouterr().err


@pytest.mark.parametrize("line", [["index"], ["info"], ["models", "check"], ["import", "--model", "starter"]])
def test_an_inaccessible_path_prints_one_line(line, tmp_path, capsys):
    assert main([*line, str(tmp_path / ("a" * 300))]) == 1
    assert f"snapseek: cannot read {tmp_path}/aaa" in capsys.readouterr().err


def test_a_word_too_long_for_a_file_name_is_an_unknown_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["a" * 300])
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["help"], "usage: snapseek [-h]"),
        (["help", "search"], "usage: snapseek search"),
        (["help", "x"], "usage: snapseek [-h]"),
    ],
)
def test_help_is_a_command_too(arguments, shown, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 0
    assert shown in capsys.readouterr().out


def test_a_folder_called_help_is_a_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "help").mkdir()
    assert with_command(["help"]) == ["open", "help"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--libary", "x"], "before --libary; did you mean --library?; options follow the command"),
        (["--library=x", "search"], "before --library; options follow the command"),
        (["-k", "5"], "before -k; options follow the command"),
    ],
)
def test_an_option_before_the_command_says_where_it_belongs(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
