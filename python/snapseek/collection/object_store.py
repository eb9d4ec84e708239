"""Partitions in an object store: fetched once for each commit, then opened like any other library."""

import hashlib
import os
import secrets
import shutil
from pathlib import Path

from pyarrow import ArrowException
from pyarrow import fs as arrow_fs

from snapseek.errors import LibraryNotFoundError, StorageError
from snapseek.library.storage.disk_space import check_free_bytes
from snapseek.library.storage.schema import FILE_NAME, SHARDS
from snapseek.user_dirs import cache_dir

_MAX_FILES = 100_000
_ERRORS = (OSError, ArrowException, ValueError)


def fetched_library(uri: str, commit: str) -> Path:
    """Return the directory of this machine with the library at an URI, as of a commit; fetch it if needed.

    It appears there when all of it is fetched, so a stop in the middle costs only the time.

    Parameters
    ----------
    uri
        An URI that `pyarrow.fs.FileSystem.from_uri` knows: `s3://`, `gs://`, `hdfs://`, `file://`.
    commit
        The checksum of the commit in the manifest: another one is fetched to another directory.

    Raises
    ------
    LibraryNotFoundError
        There is no library at the URI.
    StorageError
        The store or the disk refuses.
    """
    key = hashlib.blake2b(f"{uri}\0{commit}".encode(), digest_size=16).hexdigest()
    target = cache_dir() / "partitions" / f"{key}.snapseek"
    if (target / FILE_NAME).is_file():
        return target
    try:
        store, root = arrow_fs.FileSystem.from_uri(uri)
        names = _files_of(store, root)
        if not any(name == FILE_NAME for name in names):
            raise LibraryNotFoundError(
                expected=f"a library at {uri}", got="none", hint="upload library.db and shards/ to it"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        check_free_bytes(target.parent, sum(names.values()))
        return _fetch(store, root, list(names), target)
    except _ERRORS as error:
        if isinstance(error, StorageError | LibraryNotFoundError):
            raise
        raise StorageError(
            f"cannot fetch {uri}: {error}", hint="check the URI and your credentials"
        ) from error


def _files_of(store: arrow_fs.FileSystem, root: str) -> dict[str, int]:
    """Return the sizes of the files of a library by their path below `root`; other files are left out."""
    listed = store.get_file_info(arrow_fs.FileSelector(root, allow_not_found=True, recursive=True))
    found = {}
    for info in listed:
        name = os.path.relpath(info.path, root).replace(os.sep, "/")
        is_shard = name.startswith(f"{SHARDS}/") and name.count("/") == 1
        if info.type == arrow_fs.FileType.File and ".." not in name and (name == FILE_NAME or is_shard):
            found[name] = info.size
    if len(found) > _MAX_FILES:
        raise StorageError(f"expected up to {_MAX_FILES} files at {root}, got {len(found)}")
    return found


def _fetch(store: arrow_fs.FileSystem, root: str, names: list[str], target: Path) -> Path:
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        (draft / SHARDS).mkdir(parents=True)
        for name in sorted(names, key=lambda name: name == FILE_NAME):  # the commit last
            arrow_fs.copy_files(f"{root}/{name}", str(draft / name), store, arrow_fs.LocalFileSystem())
        draft.rename(target)
    except OSError:
        if not (target / FILE_NAME).is_file():  # another process may have fetched it meanwhile
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
