"""Open a path as a source: a folder, archive, table or list, by its content and suffix."""

from collections.abc import Sequence
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError
from snapseek.file_kinds import is_picture_name
from snapseek.sources import folder, parquet, tar, urls
from snapseek.sources.compressed import check_not_compressed, check_not_only_compressed
from snapseek.sources.exclusions import FilteredSource
from snapseek.sources.folder_table import FolderImages
from snapseek.sources.http.fetch_limits import FetchLimits
from snapseek.sources.parquet import ParquetImages
from snapseek.sources.row_reader import LIST_SUFFIXES
from snapseek.sources.source import PictureSource
from snapseek.sources.tar import TarImages
from snapseek.sources.urls import UrlList

FOLDER = folder.KIND


def open_source(
    path: Path, *, limits: FetchLimits | None = None, exclude: Sequence[str] = ()
) -> PictureSource:
    """Open a source. Only the headers of files are read.

    Parameters
    ----------
    path
        A folder of pictures; an archive (.tar) or a table with pictures (.parquet), or a folder of these; or
        a list of URLs (.txt .csv .tsv .jsonl .parquet).
    limits
        Limits for fetching the pictures of a list.
    exclude
        Patterns of gitignore for what is excluded, by path; in a list of URLs, by host and path.

    Returns
    -------
    PictureSource
        The source at that path.

    Raises
    ------
    InputError
        If there is no such file or folder, it is of another type, or a pattern is not valid.
    """
    root = absolute_path(path)
    if root.is_dir():
        return _open_folder(root, exclude)
    if not root.is_file():
        raise InputError(expected="a folder with pictures", got=f"{_what_is(root)} at {path}")
    return _filtered(_open_file(root, path, limits), exclude)


def _open_file(root: Path, path: Path, limits: FetchLimits | None) -> PictureSource:
    suffix = root.suffix.lower()
    if suffix == ".tar":
        return TarImages(root)
    if suffix == ".parquet" and parquet.has_pictures(root):
        return ParquetImages(root)
    if suffix in LIST_SUFFIXES:
        return UrlList(root, limits)
    if is_picture_name(root):
        raise InputError(
            expected="a folder with pictures",
            got=f"a single picture at {path}",
            hint="index the folder that it is in, or add it to a library with: snapseek add",
        )
    check_not_compressed(root)
    raise InputError(
        expected=f"a folder with pictures, an archive (.tar) or a list ({' '.join(LIST_SUFFIXES)})",
        got=f"a file at {path}",
    )


def reopen(
    kind: str, root: Path, *, limits: FetchLimits | None = None, exclude: Sequence[str] = ()
) -> PictureSource | None:
    """Open a source again by its `kind` and `path`; None for an unknown kind."""
    if kind == FOLDER:
        return FolderImages(root, exclude)
    if kind == urls.KIND:
        return _filtered(UrlList(root, limits), exclude)
    if kind == tar.KIND:
        return _filtered(TarImages(root), exclude)
    return _filtered(ParquetImages(root), exclude) if kind == parquet.KIND else None


def _filtered(source: PictureSource, exclude: Sequence[str]) -> PictureSource:
    return FilteredSource(source, exclude) if exclude else source


def _open_folder(root: Path, exclude: Sequence[str]) -> PictureSource:
    """Prefer picture files to archives, because a photo folder may contain an archive."""
    source = FolderImages(root, exclude)
    if next(source.find(), None) is None:
        if tar.has_archives(root):
            return _filtered(TarImages(root), exclude)
        if any(path.is_file() and _has_pictures(path) for path in sorted(root.rglob("*.parquet"))[:3]):
            return _filtered(ParquetImages(root), exclude)
        check_not_only_compressed(root)
    return source


def _has_pictures(path: Path) -> bool:
    try:
        return parquet.has_pictures(path)
    except InputError:
        return False


def _what_is(root: Path) -> str:
    return "something that is not a file" if root.exists() else "nothing"
