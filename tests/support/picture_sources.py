"""Archives, tables and lists with small pictures, as other programs write them."""

import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

COLORS = {"red": (220, 20, 20), "green": (20, 180, 40), "blue": (30, 40, 220), "white": (250, 250, 250)}


def picture(color: str = "red", kind: str = "JPEG", size: tuple[int, int] = (40, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, COLORS[color]).save(stream, kind)
    return stream.getvalue()


def add(archive: tarfile.TarFile, name: str, data: bytes, **facts: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mtime = 1_600_000_000
    for key, value in facts.items():
        setattr(member, key, value)
    archive.addfile(member, io.BytesIO(data))


def write_webdataset(path: Path, colors: tuple[str, ...] = tuple(COLORS), first: int = 0) -> None:
    """Write an archive as img2dataset does."""
    with tarfile.open(path, "w") as archive:
        for number, color in enumerate(colors, start=first):
            key = f"{number:09}"
            record = {
                "caption": f"a {color} card",
                "url": f"https://x.example/{key}.jpg",
                "key": key,
                "status": "success",
            }
            add(archive, f"{key}.jpg", picture(color))
            add(archive, f"{key}.json", json.dumps(record | {"title": color.upper()}).encode())
            add(archive, f"{key}.txt", record["caption"].encode())


def write_hugging_face(path: Path, colors: tuple[str, ...] = tuple(COLORS), **options: object) -> None:
    """Write a table as the datasets library does."""
    images = [{"bytes": picture(color, "PNG"), "path": f"train/{color}.png"} for color in colors]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "image": pa.array(images, kind),
        "text": [f"a {color} card" for color in colors],
        "label": pa.array(range(len(colors)), pa.int8()),
        "width": [40] * len(colors),
    }
    pq.write_table(pa.table(columns), path, **options)


def write_img2dataset_table(path: Path, colors: tuple[str, ...] = tuple(COLORS)) -> None:
    columns = {
        "jpg": [picture(color) for color in colors],
        "url": [f"https://x.example/{color}.jpg" for color in colors],
        "key": [f"{number:09}" for number in range(len(colors))],
        "caption": [f"a {color} card" for color in colors],
        "similarity": pa.array([0.25] * len(colors), pa.float32()),
        "md5": ["x"] * len(colors),
    }
    pq.write_table(pa.table(columns), path)
