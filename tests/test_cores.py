"""How many threads work at once."""

import pytest

from snapseek.cores import available_cores, threads_or_cores
from snapseek.errors import OutOfRangeError


def test_threads_are_those_asked_for_or_the_cores():
    assert threads_or_cores(None) == available_cores() >= 1
    assert threads_or_cores(3) == 3
    with pytest.raises(OutOfRangeError):
        threads_or_cores(0)
