"""Files that are expensive to make, made once for all worker processes of a test run."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from snapseek.library.storage.lock import writer_lock

_TIMEOUT_S = 1800


def common_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder of this test run, the same in all worker processes."""
    base = tmp_path_factory.getbasetemp()
    # Each worker has a folder of its own within a common one.
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return the folder `name`, filled by `make` in the first worker that needs it; the others wait.

    If `make` fails, the next worker tries again in a new folder.
    """
    base = common_folder(tmp_path_factory)
    done = base / f"{name}.done"
    with writer_lock(base / f"{name}.lock", _TIMEOUT_S):
        if not done.exists():
            folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
            make(folder)
            done.write_text(folder.name)
        return base / done.read_text()
