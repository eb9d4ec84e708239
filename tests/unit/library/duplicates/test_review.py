"""Groups of near-duplicates, the best picture of each first."""

import numpy as np
import pytest
from PIL import Image

from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.library.duplicates import review as module


def scene(seed):
    values = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return Image.fromarray(values).resize((240, 180), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def library(tmp_path_factory, encoder):
    """Two pictures with copies, and three others."""
    directory = tmp_path_factory.mktemp("duplicates")
    folder = directory / "pictures"
    (folder / "copies").mkdir(parents=True)
    for seed in range(5):
        scene(seed).save(folder / f"{seed}.png")
    scene(1).resize((120, 90)).save(folder / "copies" / "1 small.png")
    scene(1).save(folder / "copies" / "1 again.jpg", quality=70)
    scene(2).resize((480, 360)).save(folder / "copies" / "2 large.png")
    return Library.build(folder, directory / "l", encoder=encoder)


def names(library, group):
    return [hit.meta["name"] for hit in library.get_many([group.best, *group.others])]


def test_the_best_has_the_most_pixels_and_then_bytes(library):
    found = library.duplicates()
    groups = {tuple(names(library, group)) for group in found.groups}
    assert groups == {("1.png", "1 again.jpg", "1 small.png"), ("2 large.png", "2.png")}
    assert (found.compared, found.others) == (8, 3)


def test_the_others_bytes_are_what_deleting_them_frees(library):
    found = library.duplicates()
    for group in found.groups:
        sizes = [library.original_path(item).stat().st_size for item in group.others]
        assert group.free_bytes == sum(sizes)
    assert found.free_bytes == sum(group.free_bytes for group in found.groups)
    frees = [group.free_bytes for group in found.groups]
    assert frees == sorted(frees, reverse=True)


def test_a_filter_limits_what_is_compared(library):
    found = library.duplicates("in:copies")
    assert (found.compared, [names(library, group) for group in found.groups]) == (
        3,
        [["1 again.jpg", "1 small.png"]],
    )
    assert library.duplicates({"kind": "gif"}).groups == ()
    with pytest.raises(InputError):
        library.duplicates("no filter")


def test_too_many_pictures_are_refused_with_a_way_out(library, monkeypatch):
    monkeypatch.setattr(module, "MAX_PICTURES", 7)
    with pytest.raises(InputError, match="at most 7 pictures") as raised:
        library.duplicates()
    assert "filter" in raised.value.hint
    assert library.duplicates("in:copies").compared == 3


def test_nothing_is_deleted(library):
    before = {hit.id: library.original_path(hit.id).stat().st_mtime_ns for hit in library.browse(99)}
    library.duplicates()
    assert {hit.id: library.original_path(hit.id).stat().st_mtime_ns for hit in library.browse(99)} == before
