"""A path of the user's made a source: what lies there says which."""

from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.errors import InputError
from snapseek.sources import parquet, tar, urls
from snapseek.sources.folder import find_pictures, is_picture_name
from snapseek.sources.http.fetch_limits import FetchLimits
from snapseek.sources.parquet import ParquetImages
from snapseek.sources.row_reader import LIST_SUFFIXES
from snapseek.sources.source import PictureSource, PlainFiles
from snapseek.sources.tar import TarImages
from snapseek.sources.urls import UrlList

FOLDER = "folder"


def open_source(path: Path, *, limits: FetchLimits | None = None) -> PictureSource:
    """The source at a path: a folder of pictures; an archive (.tar), a table with pictures (.parquet), or a
    folder of these; a list of urls (.txt .csv .tsv .jsonl .parquet). `limits` say how urls are fetched.

    Nothing is read but heads. Raises InputError when nothing is there, or nothing of these.
    """
    place = absolute_path(path)
    if place.is_dir():
        return _open_folder(place)
    if not place.is_file():
        raise InputError(f"expected a folder with pictures, found {_what_is(place)} at {path}")
    suffix = place.suffix.lower()
    if suffix == ".tar":
        return TarImages(place)
    if suffix == ".parquet" and parquet.has_pictures(place):
        return ParquetImages(place)
    if suffix in LIST_SUFFIXES:
        return UrlList(place, limits)
    if is_picture_name(place):
        raise InputError(
            f"expected a folder with pictures, found a single picture at {path}; index the folder that it is "
            "in, or take it into a library with: snapseek add"
        )
    raise InputError(
        f"expected a folder with pictures, an archive (.tar) or a list ({' '.join(LIST_SUFFIXES)}), found a "
        f"file at {path}"
    )


def reopen(kind: str, place: Path, *, limits: FetchLimits | None = None) -> PictureSource | None:
    """The source of a kind at a place; None for a kind that is none of these."""
    if kind == FOLDER:
        return PlainFiles(FOLDER, place, lambda: find_pictures(place))
    if kind == urls.KIND:
        return UrlList(place, limits)
    if kind == tar.KIND:
        return TarImages(place)
    return ParquetImages(place) if kind == parquet.KIND else None


def _open_folder(place: Path) -> PictureSource:
    """Loose pictures come before what is packed: a photo folder may have an archive in it."""
    if next(find_pictures(place), None) is None:
        if any(path.is_file() for path in place.glob("*.tar")):
            return TarImages(place)
        if any(path.is_file() and _has_pictures(path) for path in sorted(place.rglob("*.parquet"))[:3]):
            return ParquetImages(place)
    return PlainFiles(FOLDER, place, lambda: find_pictures(place))


def _has_pictures(path: Path) -> bool:
    try:
        return parquet.has_pictures(path)
    except InputError:
        return False


def _what_is(place: Path) -> str:
    return "something that is no file" if place.exists() else "nothing"
