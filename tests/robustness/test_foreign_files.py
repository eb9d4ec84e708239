"""No command, whenever it is stopped, loses or changes a foreign file.

A state machine puts files, folders and links of others into libraries, their shards, sources and caches, runs
commands, kills some, and looks at every foreign file after each. SNAPSEEK_SEQUENCES says how many sequences;
`make crash` runs 2,000.
"""

import os
import secrets
import shutil
import sys
from collections import Counter
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PIL import Image

from snapseek.errors import SnapseekError
from snapseek.library.storage.database import Database
from tests.support import crash_worker, foreign_files
from tests.support.crasher import Crasher
from tests.support.embedding_files import write_embeddings
from tests.support.foreign_files import CONTENTS, KINDS, LIBRARY_NAMES, LIVING, SHARD_NAMES, ForeignFiles
from tests.support.tiny_model import write_tiny_model
from tests.support.vector_rows import unit_rows

SEQUENCES = int(os.environ.get("SNAPSEEK_SEQUENCES", "60"))
STEPS = 6
PIECES = {
    "batch_writer.BATCH_ROWS": 2,
    "column_store.KEPT_ROWS": 1,
    "watch._TICK_MS": 20,
    "watch._QUIET_MS": 5,
}
LISTS = PIECES | {"core.FLAT_ROWS": 4}
MANY_SHARDS = PIECES | {"compact._GROWTH": 1000, "compact.SMALL_ROWS": 0}
LATEST_KILL = 40
WRITERS = ["compact", "import", "index", "previews", "remove", "sync"]
SAID = {0, crash_worker.STORAGE, crash_worker.REFUSED}

by_faulty_disk = [
    pytest.mark.skipif(sys.platform != "linux", reason="the faulty disk is made for Linux"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]


def paint(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (number * 9 % 256, number * 31 % 256, 7 * number % 256)).save(path)


class Commands(RuleBasedStateMachine):
    """Foreign files and commands in any order."""

    def __init__(self, crasher, begins, ended):
        super().__init__()
        self.crasher, self.begins, self.ended = crasher, begins, ended
        self.directory = crasher.directory / secrets.token_hex(6)
        self.library, self.pictures = self.directory / "l", self.directory / "pictures"
        self.foreign = ForeignFiles(self.directory / "home")
        self.count = 0

    @initialize(begin=st.sampled_from(["none", "base", "worn", "imported", "stopped"]))
    def begin(self, begin):
        shutil.copytree(self.begins, self.directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("l-*"))
        if begin != "none":
            shutil.copytree(self.begins / f"l-{begin}", self.library)

    def teardown(self):
        foreign_files.clear(self.directory)

    def folders(self):
        return {
            "library": self.library,
            "shards": self.library / "shards",
            "pictures": self.pictures,
            "vectors": self.directory / "vectors",
        }

    @rule(
        where=st.sampled_from(["library", "shards", "shards", "pictures", "vectors"]),
        number=st.integers(0, 30),
        kind=st.sampled_from(KINDS),
        content=st.sampled_from(CONTENTS),
    )
    def put(self, where, number, kind, content):
        names = LIBRARY_NAMES if where == "library" else SHARD_NAMES
        folder = self.folders()[where]
        if folder.exists() and not folder.is_dir():
            return  # another foreign file has its name
        folder.mkdir(exist_ok=True, parents=True)
        name = names[number % len(names)]
        if name == "library.db-wal" and kind == "file":
            kind = "link"  # a file of this name is SQLite's own by its rules
        self.foreign.put(folder / name, kind, content)

    @rule(number=st.integers(0, 9), ending=st.sampled_from(LIVING), kind=st.sampled_from(KINDS))
    def put_at_a_living_stem(self, number, ending, kind):
        stems = sorted(path.stem for path in (self.library / "shards").glob("*.snap"))
        if stems:
            path = self.library / "shards" / f"{stems[number % len(stems)]}{ending}"
            self.foreign.put(path, kind, b"mine")

    @rule(number=st.integers(0, 9), kind=st.sampled_from(KINDS))
    def put_in_the_place_of_ours(self, number, kind):
        shards = self.library / "shards"
        stems = set()
        with suppress(SnapseekError), Database.open(self.library) as database:
            stems = {row.stem for row in database.shards.all()}
        there = [path for path in sorted(shards.glob("*.*")) if path.is_file() and path.stem in stems]
        ours = [path for path in there if path not in self.foreign]
        if ours and not shards.is_symlink():
            path = ours[number % len(ours)]
            path.unlink()
            self.foreign.put(path, kind, b"mine")

    @rule()
    def move_the_database_aside(self):
        if (self.library / "library.db").is_file() and self.library / "library.db" not in self.foreign:
            (self.library / "library.db").rename(self.library / f"library.db.{secrets.token_hex(2)}")
            self.foreign.remember(self.library)
            self.foreign.forget(self.library / "writer.lock")
            self.foreign.forget(self.library / "student")

    def clear_the_way(self):
        """The user moves away what a command refused to work with."""
        for path in sorted(path for path in self.library.glob("*") if path in self.foreign):
            self.foreign.forget(path)
            path.rename(self.directory / secrets.token_hex(6))
        if not (self.library / "library.db").exists() and self.library.exists():
            self.foreign.forget(self.library)
            self.library.rename(self.directory / secrets.token_hex(6))

    @rule(number=st.integers(0, 99))
    def change_pictures(self, number):
        paint(self.pictures / f"new/{number}.png", number)
        paths = sorted(self.pictures.rglob("*.png"))
        gone = paths[number % len(paths)]
        if gone not in self.foreign:
            gone.unlink()

    @precondition(lambda self: self.count < STEPS)
    @rule(
        job=st.sampled_from(sorted(crash_worker.JOBS)),
        how=st.sampled_from([PIECES, LISTS, MANY_SHARDS]),
        swap=st.sampled_from(["", "", "", "open", "check", "file"]),
        is_cleared=st.booleans(),
    )
    def command(self, job, how, swap, is_cleared):
        if is_cleared:
            self.clear_the_way()
        self.run(job, how, swap=swap)

    @precondition(lambda self: self.count < STEPS)
    @rule(
        job=st.sampled_from(WRITERS),
        how=st.sampled_from([PIECES, MANY_SHARDS]),
        kill_at=st.integers(1, LATEST_KILL),
        after=st.sampled_from(sorted(crash_worker.JOBS)),
    )
    def stopped_command(self, job, how, kill_at, after):
        """A command that is killed, and one that finds what it left."""
        self.clear_the_way()
        self.run(job, how, kill_at=kill_at)
        self.run(after, how)

    def run(self, job, how, *, kill_at=0, swap=""):
        self.count += 1
        more = {"cache": str(self.directory / "cache")}
        target = self.foreign.home / "stand-in"
        if swap:
            foreign_files.stand_in(target, self.library)
            for path in target.iterdir():
                self.foreign.remember(path)
            more |= {"swap": swap, "target": str(target)}
        status = self.crasher.run(job, self.library, self.pictures, how, kill_at, **more)
        self.ended[job, status] += 1
        assert status in SAID or (status == -9 and kill_at), f"{job} ended with {status}"
        foreign_files.undo_swap(self.library)
        assert self.foreign.changed() == []
        self.foreign.forget(target)


@pytest.fixture(scope="module")
def crasher(tmp_path_factory, tiny_model):
    crasher = Crasher(tmp_path_factory.mktemp("foreign"), tiny_model)
    yield crasher
    crasher.close()


@pytest.fixture(scope="module")
def begins(crasher):
    """Pictures, vectors, a cache and some libraries to begin with."""
    directory = crasher.directory / "begins"
    folder, more = directory / "pictures", {"cache": str(directory / "cache")}
    for number in range(6):
        paint(folder / f"{number}.png", number)
    paint(folder / "b/8.png", 8)
    write_tiny_model(directory / "second model", mean=(0.3, 0.4, 0.6))
    names = pa.array([f"{number}.png" for number in range(6)])
    write_embeddings(
        directory / "vectors", unit_rows(6, dim=3).astype("f2"), URL=names, preview=pa.array([b""] * 6)
    )
    assert crasher.run("index", directory / "l-base", folder, MANY_SHARDS, **more) == 0
    shutil.copytree(directory / "l-base", directory / "l-worn")
    assert crasher.run("remove", directory / "l-worn", folder, MANY_SHARDS, **more) in SAID
    assert crasher.run("import", directory / "l-imported", folder, LISTS, **more) == 0
    shutil.copytree(directory / "l-base", directory / "l-stopped")
    paint(folder / "7.png", 7)
    assert crasher.run("sync", directory / "l-stopped", folder, LISTS, kill_at=20, **more) == -9
    return directory


class TestSequences:
    pytestmark = by_faulty_disk

    def test_every_foreign_file_stays_unchanged(self, crasher, begins):
        ended: Counter[tuple[str, int]] = Counter()
        run_state_machine_as_test(
            lambda: Commands(crasher, begins, ended),
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=3 * STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                suppress_health_check=list(HealthCheck),
            ),
        )
        total: Counter[int] = Counter()
        for (_, status), count in ended.items():
            total[status] += count
        sys.stdout.write(
            f"{SEQUENCES} sequences, {sum(ended.values())} commands; by exit status: {dict(total)}\n"
        )
        assert total[0] > SEQUENCES / 2
        assert total[-9] > SEQUENCES / 20
        assert total[crash_worker.REFUSED] > SEQUENCES / 20
        if SEQUENCES >= 300:
            assert {job for job, status in ended if status == 0} == set(crash_worker.JOBS)
