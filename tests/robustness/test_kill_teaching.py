"""A process that teaches a word is killed at any write: the word has its old marks or its new ones."""

import os
import random
import shutil
import sys

import pytest
from PIL import Image

from snapseek.library import Concept, Library, verify
from tests.support import crash_worker
from tests.support.crasher import Crasher
from tests.support.faulty_disk import PowerCut

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the faulty disk is made for Linux"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]

STEP = int(os.environ.get("SNAPSEEK_KILL_STEP", "3"))
"""The number of writes between two kills."""

OLD = [Concept("rex", (1, 2, 3), (4,))]
TAUGHT = [Concept("rex", (3, 4, 5), (1,))]
NEW = [Concept("bella", (3, 4, 5), (1,))]


@pytest.fixture(scope="module")
def crasher(tmp_path_factory, tiny_model):
    crasher = Crasher(tmp_path_factory.mktemp("crash"), tiny_model)
    yield crasher
    crasher.close()


@pytest.fixture(scope="module")
def begin(crasher):
    """A library with a taught word."""
    folder = crasher.directory / "pictures"
    folder.mkdir()
    for number in range(6):
        Image.new("RGB", (8, 8), (40 * number, 20, 200 - 30 * number)).save(folder / f"{number}.png")
    crasher.run("index", crasher.directory / "base", folder, {})
    library = Library.open(crasher.directory / "base")
    library.teach("rex", [1, 2, 3], [4])
    assert library.concepts() == OLD
    return crasher.directory / "base"


def taught(library):
    return Library.open(library).concepts()


def test_a_killed_teacher_leaves_all_marks_or_none(crasher, begin, tmp_path):
    run = {"library": tmp_path / "l", "folder": crasher.directory, "settings": {}}
    shutil.copytree(begin, tmp_path / "l")
    assert crasher.run("teach", **run) == 0
    assert taught(tmp_path / "l") == NEW
    seen = set()
    for event in range(1, crasher.events() + 1, STEP):
        shutil.rmtree(tmp_path / "l")
        shutil.copytree(begin, tmp_path / "l")
        assert crasher.run("teach", **run, kill_at=event) == -9
        found = taught(tmp_path / "l")
        assert found in (OLD, TAUGHT, NEW)
        seen.add(found[0].name + str(found[0].examples))
        assert verify(tmp_path / "l") == []
        assert crasher.run("teach", **run) == 0
        assert taught(tmp_path / "l") == NEW
    assert len(seen) >= 2


def test_a_full_disk_leaves_the_old_marks(crasher, begin, tmp_path):
    for space in (0, 3000, 9000):
        library = tmp_path / str(space)
        shutil.copytree(begin, library)
        status = crasher.run("teach", library, crasher.directory, {}, space=space)
        assert status in (crash_worker.STORAGE, 0)
        assert taught(library) == NEW if status == 0 else taught(library) in (OLD, TAUGHT)


def test_a_taught_word_survives_a_power_cut(crasher, begin, tmp_path):
    for seed in range(5):
        library = tmp_path / str(seed)
        shutil.copytree(begin, library)
        assert crasher.run("teach", library, crasher.directory, {}) == 0
        PowerCut(crasher.log).happen(library, random.Random(seed))
        assert taught(library) == NEW
        assert verify(library) == []
