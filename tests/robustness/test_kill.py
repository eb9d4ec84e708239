"""A process that writes a library is killed, or the power fails: no committed data is lost.

Each case kills one process at one write, sync, rename or removal (a write half-way through), and in some the
power goes, too: bytes and names that were not yet synced are lost, truncated or replaced by noise. Then the
library must be whole, of the old state or the new one or on the way between, and the same work done again
must end as if nothing had happened. SNAPSEEK_CRASHES says how many cases; `make crash` takes 300 of each job.
"""

import os
import random
import shutil
import sys

import pytest
from PIL import Image

from snapseek.errors import LibraryNotFoundError
from snapseek.library import Library, verify
from snapseek.library.storage.database import Database
from tests.support import crash_worker
from tests.support.crasher import Crasher
from tests.support.embedding_files import write_embeddings
from tests.support.faulty_disk import PowerCut
from tests.support.vector_rows import unit_rows

CASES = int(os.environ.get("SNAPSEEK_CRASHES", "24"))
PICTURES = 23
PIECES = {"batch_writer.BATCH_ROWS": 4}
LISTS = {"core.FLAT_ROWS": 10}
MANY_SHARDS = PIECES | {"compact._GROWTH": 1000, "compact._MAX_DELETED": 1, "compact.SMALL_ROWS": 0}
MOVED_ROWS = {"change_records.SMALL_ROWS": 0, "change_records._REWRITTEN_SHARE": 0.5}
FOREVER = 10**9

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the faulty disk is made for Linux"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]


class Scene:
    """A job with the library that it begins with, and the one that it ends with if nothing happens."""

    def __init__(self, crasher, job, directory, folder, begin, settings):
        self.crasher, self.job, self.folder, self.settings = crasher, job, folder, settings
        self.begin, self.library, self.end = begin, directory / "l", directory / "end"
        self.old = content(begin)
        self.reset(self.end)
        assert self.run(self.end) == 0
        self.events, self.written_bytes = crasher.events(), crasher.written_bytes()
        self.new = content(self.end)
        assert verify(self.end) == []

    def reset(self, library):
        shutil.rmtree(library, ignore_errors=True)
        if self.begin.exists():
            shutil.copytree(self.begin, library)

    def run(self, library=None, **how):
        return self.crasher.run(self.job, library or self.library, self.folder, self.settings, **how)

    def check_whole(self):
        """The library is one that may be there while the job is under way."""
        if not (self.library / "library.db").exists():
            assert self.old == {}
            return
        assert verified(self.library) == []
        now = content(self.library)
        if self.job in ("import", "remove"):
            assert now in (self.old, self.new)
        for item, name in now.items():
            assert name in (self.old.get(item), self.new.get(item))
        assert set(now) >= set(self.old) & set(self.new)

    def check_resumed(self):
        """The same job again ends as if nothing had happened."""
        status, log = self.run(), self.library / "library.db-wal"
        if status == crash_worker.STORAGE and not log.read_bytes().startswith(b"\x37\x7f\x06"):
            log.unlink()  # noise from its first byte on: nobody can say whose it is; the message names it
            status = self.run()
        assert status == 0
        assert content(self.library) == self.new
        assert verify(self.library) == []
        with Database.open(self.library) as database:
            stems = {row.stem for row in database.shards.all()}
        assert {path.name.split(".")[0] for path in (self.library / "shards").iterdir()} == stems
        assert {path.name for path in self.library.iterdir()} <= {
            "library.db", "library.db-wal", "library.db-shm", "shards", "writer.lock"
        }  # fmt: skip


def verified(directory):
    try:
        return verify(directory)
    except LibraryNotFoundError:
        return []


def content(directory):
    """Every picture by its id: path and caption, or nothing where there is no library yet."""
    try:
        library = Library.open(directory)
    except LibraryNotFoundError:
        return {}
    hits = library.browse(999)
    assert len({hit.id for hit in hits}) == len(hits) == len(library)
    return {hit.id: (hit.uri, hit.caption) for hit in hits}


def paint(path, number, side=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (number * 9 % 256, number * 31 % 256, 7 * number)).save(path)


def change(folder):
    """Pictures added, changed, moved, touched, broken and removed; sidecars added, changed and removed."""
    for number in range(6):
        paint(folder / f"c/{number:02}.png", 100 + number)
    for name in ("a/04.png", "b/16.png"):
        paint(folder / name, 200, side=9)
    (folder / "a/00.png").rename(folder / "c/moved.png")
    (folder / "b/15.png").rename(folder / "a/moved.png")
    os.utime(folder / "a/05.png", ns=(10**18, 10**18))
    (folder / "a/06.png").write_bytes(b"broken")
    for name in ("a/08.txt", "a/10.png.txt", "b/19.txt", "c/moved.txt", "c/02.txt"):
        (folder / name).write_text(f"second words of {name}")
    (folder / "b/14.txt").unlink()
    for name in ("a/07.png", "b/17.png", "b/18.png"):
        (folder / name).unlink()


@pytest.fixture(scope="module")
def crasher(tmp_path_factory, tiny_model):
    crasher = Crasher(tmp_path_factory.mktemp("crash"), tiny_model)
    yield crasher
    crasher.close()


@pytest.fixture(scope="module")
def scenes(crasher):
    """Every job, made ready once."""
    folder, directory = crasher.directory / "pictures", crasher.directory
    for number in range(PICTURES):
        paint(folder / f"{'ab'[number > 12]}/{number:02}.png", number)
    for name in ("a/08.txt", "a/09.txt", "b/14.txt"):
        (folder / name).write_text(f"first words of {name}")
    crasher.run("index", directory / "base", folder, MANY_SHARDS)
    crasher.run("index", directory / "lists", folder, PIECES | LISTS)
    change(folder)
    write_embeddings(directory / "vectors", unit_rows(30, dim=3).astype("f2"))
    crasher.run("index", directory / "shards", folder, MANY_SHARDS)
    shutil.copytree(directory / "base", directory / "worn")
    crasher.run("sync", directory / "worn", folder, MANY_SHARDS)
    begins = {
        "import": (directory / "base", PIECES),
        "index": (directory / "none", PIECES),
        "sync": (directory / "base", PIECES),
        "sync lists": (directory / "lists", PIECES | LISTS | MOVED_ROWS),
        "compact": (directory / "worn", PIECES | LISTS),
        "remove": (directory / "shards", PIECES),
    }
    return {
        name: Scene(crasher, name.split(" ")[0], directory, folder, begin, settings)
        for name, (begin, settings) in begins.items()
    }


JOBS = ["compact", "import", "index", "remove", "sync", "sync lists"]


@pytest.mark.parametrize("case", range(CASES))
def test_a_killed_job_leaves_a_whole_library(scenes, crasher, case):
    scene = scenes[JOBS[case % len(JOBS)]]
    chance = random.Random(case)
    scene.reset(scene.library)
    status = scene.run(kill_at=chance.randint(1, scene.events))
    assert status in (-9, 0)
    if case // len(JOBS) % 2:
        PowerCut(crasher.log).happen(scene.library, chance)
    scene.check_whole()
    scene.check_resumed()


@pytest.mark.parametrize("case", range(CASES))
def test_a_full_disk_leaves_a_whole_library(scenes, case):
    scene = scenes[JOBS[case % len(JOBS)]]
    scene.reset(scene.library)
    status = scene.run(space=random.Random(case).randrange(scene.written_bytes))
    assert status in (crash_worker.STORAGE, 0)
    if scene.job in ("import", "remove"):  # of one commit: what is said to have failed has failed
        assert content(scene.library) == (scene.new if status == 0 else scene.old)
    scene.check_whole()
    scene.check_resumed()


@pytest.mark.parametrize("job", JOBS)
def test_a_finished_job_survives_a_power_cut(scenes, crasher, job):
    scene = scenes[job]
    for seed in range(5):
        scene.reset(scene.library)
        assert scene.run() == 0
        PowerCut(crasher.log).happen(scene.library, random.Random(seed))
        assert content(scene.library) == scene.new
        assert verify(scene.library) == []
