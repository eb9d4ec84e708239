"""`snapseek.VectorIndex` of a file that another program truncates: an error, and the process goes on."""

import os
import pickle

import numpy as np
import pytest

from snapseek import VectorIndex
from snapseek.errors import FormatError
from tests.support.vector_rows import LISTS, unit_rows

KINDS = pytest.mark.parametrize("settings", [LISTS, {}], ids=["lists", "flat"])
USES = {
    "search": lambda index: index.search(unit_rows(1)),
    "search many": lambda index: index.search(unit_rows(40)),
    "search exactly": lambda index: index.search(unit_rows(1), exact=True),
    "filter ids": lambda index: index.search(unit_rows(1), allow=np.array([3, 4])),
    "vectors": lambda index: index.vectors([0, 400]),
    "ids": lambda index: index.ids(),
    "warm": lambda index: index.warm(),
    "verify": lambda index: index.verify(),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.snap"


def build(path, settings):
    VectorIndex.build(unit_rows(500), path=path, ids=np.arange(500) * 2, **settings)


@KINDS
@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize("left", [0, 100, 0.5, -1], ids=["nothing", "header", "half", "all but a byte"])
def test_every_use_of_a_truncated_index_is_a_format_error(path, settings, use, left):
    build(path, settings)
    index = VectorIndex.open(path)
    size = path.stat().st_size
    os.truncate(path, int(size * left) if isinstance(left, float) else left % size)
    with pytest.raises(FormatError, match="it was truncated"):
        use(index)


@KINDS
def test_an_index_in_ram_does_not_need_its_file(path, settings):
    build(path, settings)
    mapped, loaded = VectorIndex.open(path), VectorIndex.open(path, load="ram")
    expected = [use(mapped) for use in USES.values()]
    os.truncate(path, 0)
    for use, before in zip(USES.values(), expected, strict=True):
        np.testing.assert_equal(use(loaded), before)
    path.unlink()
    assert len(loaded.search(unit_rows(1))[0]) == 1


@KINDS
def test_a_pickled_index_is_loaded_as_it_was(path, settings):
    build(path, settings)
    again = pickle.loads(pickle.dumps(VectorIndex.open(path, load="ram")))
    os.truncate(path, 0)
    again.search(unit_rows(1))


@KINDS
def test_a_replaced_file_does_not_matter(path, settings):
    build(path, settings)
    index = VectorIndex.open(path)
    expected = index.search(unit_rows(3))
    VectorIndex.build(unit_rows(5), path=path)
    np.testing.assert_equal(index.search(unit_rows(3)), expected)
