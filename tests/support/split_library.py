"""A library of pictures with dates, tags and copies, and the same pictures as a collection."""

import re
import shutil
from pathlib import Path

from PIL import Image, ImageDraw

from snapseek.collection import Collection
from snapseek.collection.manifest import MAX_LOCAL_ID
from snapseek.library import Library
from tests.support.page_server import as_collection

PICTURES = 24
_DATE, _KEYWORDS = 0x0132, 0x9C9E
_IMAGE_URL = re.compile(r"/api/image/\d+\?v=\w+")
_OF_THE_LIBRARY = {"took_ms", "version", "etag", "partitions", "name", "last_sync", "size_bytes", "url"}


def build_whole(directory: Path, encoder) -> Library:
    """Index pictures of which each has a copy in another folder, and a file that is none."""
    for number in range(PICTURES):
        path = directory / "pictures" / f"trip {number % 3}" / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[_DATE] = f"{2019 + number // 8}:{1 + number // 2:02}:01 12:00:00"
        if number % 2:
            exif[_KEYWORDS] = "sunny".encode("utf-16le")
        image = Image.new("RGB", (60 + number % 2, 40), f"hsl({number // 2 * 30}, 80%, 50%)")
        ImageDraw.Draw(image).ellipse((5 + number // 2, 5, 25 + number // 2, 25), fill="white")
        image.save(path, exif=exif)
    (directory / "pictures" / "broken.jpg").write_bytes(b"no picture")
    return Library.build(directory / "pictures", directory / "whole", encoder=encoder)


def split_copy(library: Library, directory: Path, encoder) -> Collection:
    """Return a collection of two partitions with the same pictures, confirmed as the library is."""
    shutil.copytree(library.info().path, directory / "copy")
    return Collection.open(
        as_collection(directory / "copy"), encoder=encoder, allow_roots=library.info().folders
    )


def local_id(item: int) -> int:
    """Return the id in the library that was split of a picture of the collection."""
    return item & MAX_LOCAL_ID


def comparable(value):
    """Return JSON with ids of the library, and without what differs between any two libraries."""
    if isinstance(value, dict):
        return {name: comparable(entry) for name, entry in value.items() if name not in _OF_THE_LIBRARY}
    if isinstance(value, list):
        return [comparable(entry) for entry in value]
    if type(value) is int and value > MAX_LOCAL_ID:
        return local_id(value)
    if isinstance(value, str):
        return _IMAGE_URL.sub("/api/image", value).replace("this collection", "this library")
    return value
