"""snapseek.library.indexing.previews: previews for imported vectors, fetched or from a folder, at any
stop."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from snapseek.cli import main
from snapseek.errors import FormatError
from snapseek.library import Library
from snapseek.library.indexing import previews
from snapseek.library.storage import preview_queue
from snapseek.sources import FetchLimits
from tests.support.embedding_files import write_embeddings
from tests.support.loopback import Loopback, answer, silent
from tests.support.picture_sources import COLORS, picture
from tests.support.vector_rows import unit_rows

HERE = FetchLimits(allow_private=True, pause_s=0.01)
ROWS = 40


def imported(tmp_path, encoder, uris, rows=None):
    rows = len(uris) if rows is None else rows
    none = pa.array([b""] * rows, pa.binary())
    folder = write_embeddings(
        tmp_path / "laion", unit_rows(rows, dim=3).astype(np.float32), URL=pa.array(uris), preview=none
    )
    return Library.import_vectors(folder, tmp_path / "l", encoder=encoder, threads=1)


def shown(library):
    return {hit.uri: hit.preview for hit in library.browse(1000)}


@pytest.fixture
def web():
    routes = {f"{color}.jpg": answer(body=picture(color, size=(300, 200))) for color in COLORS}
    with Loopback(routes) as server:
        yield server


def test_previews_of_what_can_be_fetched(tmp_path, encoder, web):
    names = [*(f"{color}.jpg" for color in COLORS), "gone.jpg"]
    uris = [*map(web.url, names), "ftp://a.example/x", "", "local.jpg"]
    library = imported(tmp_path, encoder, uris)
    before = [hit.id for hit in library.search("red", 10)]
    version = library.info().version
    seen = []
    report = library.previews(limits=HERE, progress=seen.append)
    assert (report.made, report.failed, report.tried, report.not_allowed) == (4, 2, 0, 2)
    assert (seen[-1].done, seen[-1].total, seen[-1].failed) == (6, 6, 2)
    hits = {hit.uri: hit for hit in library.browse(100)}
    red = hits[web.url("red.jpg")]
    assert 0 < len(red.preview) <= 500
    assert (red.width, red.height) == (300, 200)
    assert int(red.color[1:3], 16) > 180 > int(red.color[3:5], 16)
    assert hits[web.url("gone.jpg")].preview == b""
    assert [hit.id for hit in library.search("red", 10)] == before
    assert library.info().version != version
    assert library.verify() == []
    reasons = previews.preview_failures(tmp_path / "l")
    assert reasons[hits[web.url("gone.jpg")].id] == "the server answers 404 (Not Found)"
    assert reasons[hits[""].id] == "its record has no address of an original"


def test_failures_are_retried_only_with_retry_failed(tmp_path, encoder, web):
    library = imported(tmp_path, encoder, [web.url("red.jpg"), web.url("late.jpg")])
    assert library.previews(limits=HERE).failed == 1
    web.routes["late.jpg"] = answer(body=picture("blue"))
    web.request_counts.clear()
    report = library.previews(limits=HERE)
    assert (report.made, report.failed, report.tried) == (0, 0, 1)
    assert not web.request_counts
    report = library.previews(limits=HERE, retry_failed=True)
    assert (report.made, report.failed) == (1, 0)
    assert set(web.request_counts) == {"late.jpg"}
    assert all(shown(library).values())
    assert not (tmp_path / "l" / "previews.db").exists()


def test_files_only_from_the_folder_that_is_named(tmp_path, encoder):
    root = tmp_path / "originals"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "a b.jpg").write_bytes(picture("red"))
    (tmp_path / "outside.jpg").write_bytes(picture("blue"))
    (root / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (root / "loop.jpg").symlink_to(root / "loop.jpg")
    os.mkfifo(root / "pipe.jpg")
    good = ["deep/a b.jpg", (root / "deep" / "a b.jpg").as_uri() + "?x", str(root / "deep" / "a b.jpg")]
    bad = [
        "../outside.jpg",
        "link.jpg",
        "loop.jpg",
        "pipe.jpg",
        "/etc/passwd",
        "a\0b",
        (tmp_path / "outside.jpg").as_uri(),
    ]
    library = imported(tmp_path, encoder, good + bad)
    assert library.previews().not_allowed == len(good + bad)
    report = library.previews(root=root)
    assert (report.made, report.failed) == (len(good), len(bad))
    assert {uri for uri, preview in shown(library).items() if preview} == set(good)


def test_removed_pictures_stay_removed_and_others_are_untouched(tmp_path, encoder, web):
    library = imported(tmp_path, encoder, [web.url(f"{color}.jpg") for color in COLORS])
    gone = next(hit.id for hit in library.browse(10) if "red" in hit.uri)
    library.remove(gone)
    assert library.previews(limits=HERE).made == 3
    assert len(library) == 3
    assert set(web.request_counts) == {"green.jpg", "blue.jpg", "white.jpg"}
    assert library.verify() == []


def test_shards_are_rewritten_in_groups(tmp_path, encoder, web, monkeypatch):
    monkeypatch.setattr(previews, "_MIN_APPLIED", 10)
    web.routes |= {f"{number}.jpg": answer(body=picture("blue")) for number in range(ROWS)}
    library = imported(tmp_path, encoder, [web.url(f"{number}.jpg") for number in range(ROWS)])
    rewrites = []
    rewritten = previews.rewrite_records
    monkeypatch.setattr(
        previews, "rewrite_records", lambda *how: rewrites.append(how[1].stem) or rewritten(*how)
    )
    assert library.previews(limits=HERE).made == ROWS
    assert len(set(rewrites)) == len(rewrites) == ROWS // 10
    assert all(shown(library).values())
    assert len(list((tmp_path / "l" / "shards").glob("*.snap"))) == 1
    assert library.search("blue", 5).total == ROWS


WORK = """
import sys
from snapseek.library.storage import preview_queue
from snapseek.library.indexing import previews
from snapseek.sources import FetchLimits
from pathlib import Path
limits = FetchLimits(allow_private=True, timeout_s=30, connections=2, connections_per_host=2)
previews._MIN_APPLIED = 10
preview_queue._COMMIT_S = 0.0
previews.make_previews(Path(sys.argv[1]), previews.PreviewOptions(threads=1, limits=limits))
"""


def made(library) -> set[int]:
    """Whose previews are safe: those in the records, and those that the worker has noted."""
    shown = {hit.id for hit in library.browse(1000) if hit.preview}
    notes = f"{(library.info().path / preview_queue.FILE_NAME).as_uri()}?mode=ro"
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(notes, uri=True)) as connection:
        shown |= {item for (item,) in connection.execute("SELECT item FROM made")}
    return shown


@pytest.mark.parametrize("after", [4, 14, 25])
def test_a_kill_loses_only_uncommitted_previews(tmp_path, encoder, web, after):
    """Some pictures answer, then one hangs for ever: the worker is killed there."""
    web.routes |= {f"{number}.jpg": answer(body=picture("blue")) for number in range(ROWS)}
    web.routes |= {f"{number}.jpg": silent for number in range(after, after + 4)}
    library = imported(tmp_path, encoder, [web.url(f"{number}.jpg") for number in range(ROWS)])
    worker = subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path / "l")])
    try:
        give_up_s = time.monotonic() + 60
        while web.request_counts.total() < after + 2 or len(made(library)) < after - previews._PICTURES_AHEAD:
            assert time.monotonic() < give_up_s
            time.sleep(0.05)
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()
    assert library.verify() == []
    web.routes |= {f"{number}.jpg": answer(body=picture("blue")) for number in range(ROWS)}
    web.request_counts.clear()
    report = library.previews(limits=HERE)
    assert report.failed == 0
    assert len(web.request_counts) <= ROWS - (after - previews._PICTURES_AHEAD)
    assert all(shown(library).values())
    assert library.verify() == []


def test_a_damaged_preview_queue_is_refused(tmp_path, encoder, web):
    library = imported(tmp_path, encoder, [web.url("red.jpg")])
    (tmp_path / "l" / "previews.db").write_bytes(b"no database" * 500)
    with pytest.raises(FormatError, match=r"remove .*previews\.db"):
        library.previews(limits=HERE)
    assert Path(tmp_path / "l" / "previews.db").exists()
    assert len(library) == 1


def test_the_command(tmp_path, encoder, web, capsys):
    imported(tmp_path, encoder, [web.url("red.jpg"), web.url("gone.jpg"), "a.jpg"])
    library_path = str(tmp_path / "l")
    assert main(["previews", library_path, "--allow-private"]) == 0
    said = capsys.readouterr().err
    assert "1 previews made, 1 could not be made" in said
    assert "1 originals are files: pass their folder with --originals DIR" in said
    assert "1 x the server answers 404 (Not Found)" in said
    web.routes["gone.jpg"] = answer(body=picture())
    assert main(["previews", library_path, "--allow-private", "--retry-failed"]) == 0
    assert "1 previews made\n" in capsys.readouterr().err
