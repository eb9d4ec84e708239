"""Absolute paths: a later `os.chdir` does not change which file they name."""

import os
from pathlib import Path

from snapseek.errors import StorageError


def absolute_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` as an absolute one, links as the user named them.

    Raises StorageError for a relative path where the current directory was removed.
    """
    try:
        return Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links)
    except FileNotFoundError as error:
        raise StorageError(
            f"could not resolve {os.fspath(path)}: the current directory is gone",
            hint="pass an absolute path, or change to a directory that exists",
        ) from error
