"""Error branches that ordinary use does not reach."""

import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from snapseek.cli import console, demo
from snapseek.cli.main import main
from snapseek.errors import FormatError
from snapseek.library import Library, RepairReport
from snapseek.library.indexing.sync_report import SyncReport
from snapseek.metadata import exif, exif_texts
from snapseek.server import create_app
from snapseek.sources.folder_table import FolderImages
from snapseek.sources.open import open_source
from tests.conftest import write_pictures
from tests.support.asgi_client import LOCALHOST, ask
from tests.support.fake_library import FakeLibrary


@pytest.fixture
def indexed(folder, encoder, tmp_path):
    return Library.build(folder, tmp_path / "l", encoder=encoder).info().path


def test_the_demo_prints_searches(monkeypatch, tmp_path, tiny_model, capsys):
    monkeypatch.setattr("snapseek.library.paths.DEMO_PICTURES", write_pictures(tmp_path / "pictures"))
    monkeypatch.setattr(demo, "_EXAMPLES", 1)
    monkeypatch.setattr("snapseek.models.Encoder.examples", ("red",))
    arguments = ["demo", "--no-serve", "--model", str(tiny_model), "--library", str(tmp_path / "l")]
    assert main(arguments) == 0
    assert "red → red.jpg, " in capsys.readouterr().err


def test_a_report_prints_missing_folders_and_skipped_compaction(capsys):
    console.print_report(SyncReport(missing=(Path("/gone"),), compaction_skipped="the disk is full"))
    printed = capsys.readouterr().err
    assert "/gone is missing, empty or unreadable" in printed
    assert "the disk is full" in printed


def test_repair_prints_that_there_is_no_problem(indexed, capsys):
    assert main(["repair", str(indexed)]) == 0
    assert "no problems found" in capsys.readouterr().err


def test_repair_names_the_import_to_repeat(monkeypatch, indexed, capsys):
    done = RepairReport(problems=("shards/0.snap is damaged",), to_import=(Path("/vectors"),))
    monkeypatch.setattr("snapseek.library.repair", lambda _: done)
    assert main(["repair", str(indexed)]) == 0
    printed = capsys.readouterr().err
    assert "shards/0.snap is damaged" in printed
    assert "import again: /vectors" in printed


def test_repair_rebuilds_a_damaged_database_index(indexed, encoder):
    """Rows that an index of the database lacks: REINDEX restores them, and a search finds them again."""
    with closing(sqlite3.connect(indexed / "library.db")) as connection, connection:
        (name, sql) = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchone()
        damaged = sql + (" AND 0" if " WHERE " in sql.upper() else " WHERE 0")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (damaged, name))
    with closing(sqlite3.connect(indexed / "library.db")) as connection, connection:
        connection.execute(f"REINDEX {name}")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
    with closing(sqlite3.connect(indexed / "library.db")) as connection, connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() != ("ok",)
    assert main(["repair", str(indexed)]) == 0
    with closing(sqlite3.connect(indexed / "library.db")) as connection, connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(Library.open(indexed, encoder=encoder)) == 6


def test_repair_refuses_a_damaged_table(indexed):
    database = indexed / "library.db"
    data = bytearray(database.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    for begin in range(size, len(data), size):
        data[begin + size // 2 : begin + size] = b"\xff" * (size // 2)
    database.write_bytes(data)
    from snapseek.library import repair

    with pytest.raises(FormatError):
        repair(indexed)


class BrokenExif(dict):
    """EXIF of which no directory can be read."""

    def get_ifd(self, _number):
        raise ValueError("a wrong offset")


def test_exif_without_readable_directories_is_empty():
    assert exif._directory(BrokenExif(), 0x8769) == {}


@pytest.mark.parametrize("value", ["12", (), (1, 2, 3, 4), ("x",), (1, None), (float("inf"),)])
def test_gps_degrees_that_are_no_numbers_are_none(value):
    assert exif._degrees(value, "N") is None


def test_windows_text_as_a_tuple_of_bytes_is_read():
    assert exif_texts.xp_text(tuple("sun\0x".encode("utf-16-le"))) == "sun"
    assert exif_texts.xp_text((1, 300)) is None


def test_a_malformed_cookie_is_refused_like_a_missing_token(tmp_path):
    app = create_app(FakeLibrary(tmp_path), allowed_hosts=None, token="a-token-of-enough-characters")
    for cookie in (b"a\x01b=c; =;", b"[]=x", b'"', b"snapseek=\xff"):
        assert ask(app, "/api/info", headers=[LOCALHOST, (b"cookie", cookie)]).status == 401


def test_a_picture_without_a_preview_is_not_found(tmp_path, monkeypatch):
    library = FakeLibrary(tmp_path)
    without = SimpleNamespace(preview=b"")
    monkeypatch.setattr(FakeLibrary, "__getitem__", lambda _, item: without)
    reply = ask(create_app(library), "/api/preview/1")
    assert reply.status == 404
    assert reply.json()["expected"] == "a preview of picture 1"


def test_a_folder_with_only_a_broken_table_is_opened_as_files(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but nothing else")
    assert isinstance(open_source(tmp_path), FolderImages)
