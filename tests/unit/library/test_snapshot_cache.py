"""snapseek.library.snapshot_cache: newer states are read, while older ones stay unchanged."""

import threading
import time

import pytest
from PIL import Image

from snapseek.errors import FormatError
from snapseek.library import Library, snapshot, snapshot_cache
from snapseek.library.encoders import LoadedEncoder
from snapseek.search_request import SearchRequest
from tests.conftest import PICTURES
from tests.support.databases import one_commit


@pytest.fixture
def at_once(monkeypatch):
    """Every query looks for a newer commit."""
    monkeypatch.setattr(snapshot_cache, "_CHECK_INTERVAL_S", 0)
    monkeypatch.setattr(snapshot_cache, "_MAX_WAIT_S", 10)


def changed(folder, name="more.png", color="red"):
    Image.new("RGB", (20, 20), color).save(folder / name)
    return folder


def test_a_query_sees_what_was_committed_since(folder, tmp_path, encoder, at_once):
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = opened.search("red", 99)
    Library.build(changed(folder), tmp_path / "l", encoder=encoder)
    after = opened.search("red", 99)
    assert (len(before), len(after)) == (len(PICTURES), len(PICTURES) + 1)
    assert before.version != after.version == opened.version == opened.info().version


def test_an_old_state_stays_as_it_was(folder, tmp_path, encoder, at_once):
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    snapshot = opened.snapshot()
    before = snapshot.search(SearchRequest("red", limit=99), LoadedEncoder(encoder))
    Library.build(changed(folder), tmp_path / "l", encoder=encoder)
    assert len(opened) == len(PICTURES) + 1
    again = snapshot.search(SearchRequest("red", limit=99), LoadedEncoder(encoder))
    assert again == before
    assert again.version == before.version == snapshot.version
    assert [snapshot[hit.id].uri for hit in before] == [hit.uri for hit in before]


def test_one_looks_a_few_times_a_second_at_most(folder, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(snapshot_cache, "_CHECK_INTERVAL_S", 3600)
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    Library.build(changed(folder), tmp_path / "l", encoder=encoder)
    assert len(opened) == len(PICTURES)
    assert opened.refresh()
    assert not opened.refresh()
    assert len(opened) == len(PICTURES) + 1


def test_shards_that_stay_are_not_opened_again(folder, tmp_path, encoder):
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    before = opened.snapshot()
    with one_commit(tmp_path / "l") as database:
        database.settings.update({"version": "other"})
    assert opened.refresh()
    assert opened.snapshot() is not before
    assert opened.snapshot()._shards.parts[0].shard is before._shards.parts[0].shard


def test_a_damaged_new_state_does_not_stop_the_answers(folder, tmp_path, encoder, at_once):
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    Library.build(changed(folder), tmp_path / "l", encoder=encoder)
    for path in (tmp_path / "l" / "shards").iterdir():
        path.unlink()
    assert len(opened.search("red", 99)) == len(PICTURES)
    with pytest.raises(FormatError, match="missing"):
        opened.refresh()


def test_no_answer_mixes_two_states(folder, tmp_path, encoder, at_once):
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    done = threading.Event()

    def ask():
        while not done.is_set():
            hits = opened.search("red", 99)
            seen.add((hits.version, len(hits), hits.total))

    seen: set[tuple[str, int, int]] = set()
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(5):
            version = Library.build(changed(folder, f"{number}.png"), tmp_path / "l", encoder=encoder).version
            wait_until_seen(version, seen)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    versions = {version for version, _, _ in seen}
    assert len(seen) == len(versions) >= 5  # one size for each version
    assert all(len(PICTURES) <= size == total <= len(PICTURES) + 5 for _, size, total in seen)


def wait_until_seen(version, seen):
    end_s = time.monotonic() + 60
    while version not in {found for found, _, _ in seen.copy()}:
        assert time.monotonic() < end_s, f"no answer is of {version}"
        time.sleep(0.01)


def test_no_query_waits_long_for_a_new_state(folder, tmp_path, encoder, monkeypatch):
    monkeypatch.setattr(snapshot_cache, "_CHECK_INTERVAL_S", 0)
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    Library.build(changed(folder), tmp_path / "l", encoder=encoder)
    read, go_on = snapshot_cache.Snapshot.read, threading.Event()

    def slowly(*arguments):
        assert go_on.wait(10)
        return read(*arguments)

    monkeypatch.setattr(snapshot_cache.Snapshot, "read", slowly)
    for _ in range(3):
        assert len(opened.search("red", 99)) == len(PICTURES)
    go_on.set()
    assert opened.refresh() or len(opened) == len(PICTURES) + 1
    assert len(opened.search("red", 99)) == len(PICTURES) + 1


def test_a_shard_that_goes_while_it_is_taken_over_is_no_fault(folder, tmp_path, encoder, monkeypatch):
    opened = Library.build(folder, tmp_path / "l", encoder=encoder)
    writer = Library.open(tmp_path / "l", encoder=encoder)
    with one_commit(tmp_path / "l") as database:
        database.shards.add_tombstones(database.shards.all()[0].stem, [opened.browse(1)[0].id])
        database.settings.update({"version": "buried"})
    real, calls = snapshot.Shards, []

    def shards(*arguments):
        calls.append(arguments)
        if len(calls) == 1:  # after the names of the shards were read, before they are looked at
            monkeypatch.setattr(snapshot, "Shards", real)
            writer.compact()
            monkeypatch.setattr(snapshot, "Shards", shards)
        return real(*arguments)

    monkeypatch.setattr(snapshot, "Shards", shards)
    assert opened.refresh()
    assert (len(calls), len(opened), opened.version) == (2, len(PICTURES) - 1, writer.version)
