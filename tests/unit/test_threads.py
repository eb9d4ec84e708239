"""How many threads work at once."""

import pytest

from snapseek.errors import OutOfRangeError
from snapseek.threads import available_cores, resolve_threads


def test_threads_default_to_the_cores():
    assert resolve_threads(None) == available_cores() >= 1
    assert resolve_threads(3) == 3
    with pytest.raises(OutOfRangeError):
        resolve_threads(0)
