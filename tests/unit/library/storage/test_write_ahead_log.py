import sqlite3
import struct
from contextlib import closing

import pytest

from snapseek.library.storage.write_ahead_log import is_log_of, page_size_of

OURS, OTHER = 7, 8


@pytest.fixture
def logged(tmp_path):
    """A log in which the id of the database goes from 0 to `OURS`, and the first page of the database."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a)")
        connection.execute(f"PRAGMA application_id = {OURS}")
        log = tmp_path / "log"
        log.write_bytes(path.with_name("a.db-wal").read_bytes())
    return log, page_size_of(path.read_bytes())


def test_the_last_first_page_decides(logged):
    log, page_bytes = logged
    assert is_log_of(log, page_bytes, {OURS})
    assert is_log_of(log, page_bytes, {0, OURS})
    assert not is_log_of(log, page_bytes, {OTHER})
    assert not is_log_of(log, page_bytes, {0})


def test_frames_of_an_earlier_round_do_not_count(logged):
    log, page_bytes = logged
    data = bytearray(log.read_bytes())
    data[16] ^= 1  # the salt in the header: nothing behind it would be replayed
    log.write_bytes(data)
    assert is_log_of(log, page_bytes, {OTHER})


def test_what_is_no_log_of_this_database_is_refused(logged):
    log, page_bytes = logged
    data = log.read_bytes()
    assert not is_log_of(log, page_bytes * 2, {OURS})
    no_database = data.replace(b"SQLite format 3", b"another program")
    for other in (b"notes", b"x" * 4096, data[:2], b"7notes", bytes(40) + b"x", no_database):
        log.write_bytes(other)
        assert not is_log_of(log, page_bytes, {OURS}), other[:40]


@pytest.mark.parametrize("written", [3, 4, 9, 12, 20, 31])
def test_a_header_that_a_power_cut_tore_is_of_sqlite(logged, written):
    log, page_bytes = logged
    data = log.read_bytes()
    noise = bytes(range(100, 200))
    for torn in (b"", noise[: 32 - written], noise[:5], data[32:] + noise):
        log.write_bytes(data[:written] + torn)
        assert is_log_of(log, page_bytes, {OURS})
    log.write_bytes(data[:written].ljust(5000, b"\0"))
    assert is_log_of(log, page_bytes, {OURS})


def test_a_first_page_behind_a_header_of_noise_decides(logged):
    log, page_bytes = logged
    log.write_bytes(bytes(range(100, 132)) + log.read_bytes()[32:])
    assert is_log_of(log, page_bytes, {OURS})
    assert not is_log_of(log, page_bytes, {OTHER})
    assert not is_log_of(log, page_bytes * 2, {OURS})


@pytest.mark.parametrize("damaged_at", [None, 3, 5, 9, 18, 30])
def test_sqlite_replays_no_log_with_a_torn_header(logged, damaged_at):
    log, _ = logged
    database = log.with_name("a.db")
    data = bytearray(database.read_bytes())
    data[68:72] = bytes(4)
    database.write_bytes(data)
    frames = bytearray(log.read_bytes())
    if damaged_at is not None:
        frames[damaged_at] ^= 4
    log.with_name("a.db-wal").write_bytes(frames)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (OURS if damaged_at is None else 0,)


def test_an_empty_log_and_none_are_fine(tmp_path):
    log = tmp_path / "log"
    assert is_log_of(log, 4096, {OURS})
    for content in (b"", bytes(32), bytes(5000)):
        log.write_bytes(content)
        assert is_log_of(log, 4096, {OURS})


def test_a_sparse_file_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "log").open("wb") as file:
        file.truncate(1 << 40)
    assert not is_log_of(tmp_path / "log", 4096, {OURS})


def test_the_largest_page_is_written_as_one():
    header = bytearray(100)
    struct.pack_into(">H", header, 16, 1)
    assert page_size_of(bytes(header)) == 65536
