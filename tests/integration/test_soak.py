"""The memory of a server over mixed requests with large pictures: the short form of `make soak`."""

import sys
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("reads the resident memory in /proc", allow_module_level=True)

from benches import soak
from benches.large_pictures import BODIES, large_picture
from snapseek.images import open_image

REQUESTS = 300
PICTURES = 15
MAX_MB = 350
MAX_GROWTH = 0.05


def test_large_pictures_differ_in_their_pixels() -> None:
    numbers = (0, 1, BODIES, 2 * BODIES, 60 * BODIES)
    pictures = [open_image(large_picture(number, 0.01)) for number in numbers]
    assert len({found.image.resize((8, 8)).tobytes() for found in pictures}) == len(numbers)
    assert open_image(large_picture(0), min_side=100).width * open_image(large_picture(0)).height > 4_900_000


@pytest.mark.slow
@pytest.mark.parametrize("caches", [True, False], ids=["with caches", "without caches"])
def test_the_memory_of_a_server_stays_flat(tmp_path: Path, caches: bool) -> None:
    library = soak.made_library(tmp_path, PICTURES)
    with soak.served(library, caches=caches) as (port, pid):
        found = soak.soak(port, pid, REQUESTS, PICTURES)
    assert found.failed == 0
    assert max(total for _, _, total in found.memory) < MAX_MB
    assert found.growth < MAX_GROWTH
