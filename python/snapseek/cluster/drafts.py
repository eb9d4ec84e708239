"""Drafts that killed workers have left: of pieces, of the training, and of partitions."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_KEY = "[0-9a-f]{16}"
_OF_CORE = r"\.[0-9]+-[A-Za-z0-9]+\.tmp"  # what the core appends while it writes a file
_PIECES = re.compile(rf"\.(img_emb_[0-9]+\.npy|metadata_[0-9]+\.parquet)\.{_KEY}\.tmp")
_TARGET = re.compile(
    rf"\.p-[0-9]+\.{_KEY}\.(tmp|old)"
    rf"|\.training\.{_KEY}\.tmp\.(npy|snap({_OF_CORE})?)"
    rf"|training\.snap{_OF_CORE}"
    rf"|\.\.training\.snap\.json\.{_KEY}\.tmp"
)


def remove_drafts(target: Path, pieces: Iterable[Path]) -> None:
    """Remove the drafts in `target` and in the folders of pieces, once no task runs any more.

    What has another name stays.
    """
    for folder in pieces:
        for name in ("img_emb", "metadata"):
            _remove(folder / name, _PIECES)
    _remove(target, _TARGET)


def _remove(folder: Path, pattern: re.Pattern[str]) -> None:
    with suppress(OSError):  # a disk that refuses now keeps a draft until the next run
        for path in list(folder.iterdir()):
            if pattern.fullmatch(path.name) is None or path.is_symlink():
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
