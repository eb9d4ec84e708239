"""How many threads work at once."""

import pytest

from snapseek.cores import available_cores, threads_or_cores
from snapseek.errors import InputError


def test_threads_are_those_asked_for_or_the_cores():
    assert threads_or_cores(None) == available_cores() >= 1
    assert threads_or_cores(3) == 3
    with pytest.raises(InputError, match="threads must be 1 or more, got 0"):
        threads_or_cores(0)
