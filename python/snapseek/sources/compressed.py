"""Compressed archives: their pictures cannot be shown in place, so they are refused; how to unpack one."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from snapseek.errors import InputError
from snapseek.sources.exclusions import is_skipped

_UNPACK = {
    (
        ".tar.gz",
        ".tgz",
        ".tar.bz2",
        ".tbz2",
        ".tar.xz",
        ".txz",
        ".tar.zst",
    ): "mkdir {0} && tar -xf {1} -C {0}",
    (".zip", ".cbz"): "unzip {1} -d {0}",
    (".7z",): "7z x {1} -o{0}",
    (".rar", ".cbr"): "unrar x {1} {0}/",
    (".gz",): "gunzip -k {1}",
    (".bz2",): "bunzip2 -k {1}",
    (".xz",): "unxz -k {1}",
    (".zst",): "unzstd {1}",
}


def check_not_compressed(path: Path) -> None:
    """Raise InputError with the command that unpacks it, if a file is a compressed archive."""
    for suffixes, command in _UNPACK.items():
        suffix = next((suffix for suffix in suffixes if path.name.lower().endswith(suffix)), None)
        if suffix is not None:
            target = path.with_name(path.name[: -len(suffix)] or "unpacked")
            unpack = command.format(shlex.quote(str(target)), shlex.quote(str(path)))
            raise InputError(
                expected="a folder with pictures, or an archive that is not compressed (.tar)",
                got=f"a compressed file at {path}",
                hint=f"unpack it with: {unpack}, then index {target}",
            )


def check_not_only_compressed(folder: Path) -> None:
    """Raise InputError as `check_not_compressed` does for the first compressed archive below a folder."""
    for file in _files(folder):
        check_not_compressed(file)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_skipped(name))
        yield from (Path(parent, name) for name in sorted(names) if not is_skipped(name))
