"""An upgrade to another model is killed at one of its writes, or while its commit switches the generations.

After each kill the library answers with vectors of one model alone. The next run goes on with what was
committed, and ends as if nothing had happened. SNAPSEEK_CRASHES says how many cases there are of each kind;
`make crash` takes 100.
"""

import os
import random
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from snapseek import Encoder, Library
from snapseek.library import verify
from snapseek.library.storage.database import Database
from tests.robustness.test_kill import PIECES, paint
from tests.support import crash_worker
from tests.support.crasher import Crasher
from tests.support.faulty_disk import PowerCut
from tests.support.tiny_model import write_tiny_model

CASES = min(100, int(os.environ.get("SNAPSEEK_CRASHES", "20")))
PICTURES = 13
SWITCH_EVENTS = range(15, 40)
"""The numbers of writes, syncs and removals before the end at which the commit of the switch is under way."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the faulty disk is made for Linux"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler"),
]


@pytest.fixture(scope="module")
def scene(tmp_path_factory, tiny_model):
    """A library of several shards, and what an upgrade that nothing disturbs makes of it."""
    directory = tmp_path_factory.mktemp("crash")
    crasher = Crasher(directory, tiny_model)
    second = Encoder.load(write_tiny_model(directory / "second model", mean=(0.3, 0.4, 0.6)))
    folder = directory / "pictures"
    for number in range(PICTURES):
        paint(folder / f"{number:02}.png", number)
    assert crasher.run("index", directory / "begin", folder, PIECES) == 0
    scene = SimpleNamespace(
        crasher=crasher, folder=folder, begin=directory / "begin", library=directory / "l"
    )
    scene.old, scene.old_model = state(scene.begin), Library.open(scene.begin).info().fingerprint
    reset(scene)
    assert run(scene) == 0
    scene.events, scene.written_bytes = crasher.events(), crasher.written_bytes()
    scene.new, scene.new_model = state(scene.library), second.space
    assert Library.open(scene.library).info().fingerprint == scene.new_model
    yield scene
    crasher.close()


def reset(scene):
    shutil.rmtree(scene.library, ignore_errors=True)
    shutil.copytree(scene.begin, scene.library)


def run(scene, **how):
    return scene.crasher.run("upgrade", scene.library, scene.folder, PIECES, **how)


def state(path):
    """The record and the vector of every picture, by id."""
    library = Library.open(path)
    return {hit.id: ((hit.uri, hit.preview), library.vector(hit.id)) for hit in library.browse(999)}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for item, (record, vector) in found.items():
        assert record == expected[item][0]
        np.testing.assert_allclose(vector, expected[item][1], atol=0.02)


def check_one_generation(scene):
    """All records are there, with the vectors of the model that the library names."""
    assert verify(scene.library) == []
    model = Library.open(scene.library).info().fingerprint
    assert model in (scene.old_model, scene.new_model)
    assert_same(state(scene.library), scene.old if model == scene.old_model else scene.new)
    return model


def check_resumed(scene):
    committed = 0
    with Database.open(scene.library) as database:
        committed = len(database.upgrade.items()[0]) if database.upgrade.model() else 0
    if check_one_generation(scene) == scene.old_model and committed:
        report = Library.open(scene.library).upgrade(
            Encoder.load(scene.folder.with_name("second model")), threads=1
        )
        assert (report.resumed, report.embedded) == (committed, PICTURES - committed)
    assert run(scene) == 0
    assert check_one_generation(scene) == scene.new_model
    with Database.open(scene.library) as database:
        stems = {row.stem for row in database.shards.all()}
    assert {path.name.split(".")[0] for path in (scene.library / "shards").iterdir()} == stems


@pytest.mark.parametrize("case", range(CASES))
def test_a_killed_upgrade_goes_on(scene, case):
    chance = random.Random(case)
    reset(scene)
    assert run(scene, kill_at=chance.randint(1, scene.events)) in (-9, 0)
    if case % 2:
        PowerCut(scene.crasher.log).happen(scene.library, chance)
    check_resumed(scene)


@pytest.mark.parametrize("case", range(CASES))
def test_an_upgrade_killed_within_the_switch_is_whole(scene, case):
    reset(scene)
    kill_at = scene.events - random.Random(case).choice(SWITCH_EVENTS)
    assert run(scene, kill_at=kill_at) in (-9, 0)
    check_resumed(scene)


@pytest.mark.parametrize("case", range(CASES))
def test_a_full_disk_leaves_the_present_generation(scene, case):
    reset(scene)
    space = random.Random(case).randrange(scene.written_bytes)
    assert run(scene, space=space) in (crash_worker.STORAGE, 0)
    check_resumed(scene)
