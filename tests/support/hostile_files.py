"""Broken and hostile inputs, each with a name and its expected outcome.

`BAD` must be reported, `GOOD` must be found, `EITHER` must be one of the two: never lost, never fatal.
"""

import io
import json
import os
import socket
import stat
import struct
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, PngImagePlugin

from tests.robustness.test_bad_input import chunk, huge_png
from tests.support.picture_sources import add, picture, write_hugging_face, write_webdataset
from tests.support.sample_pictures import KIND_NAMES, encoded
from tests.unit.metadata.test_xmp import LAUGHS, block

BAD, GOOD, EITHER = "bad", "good", "either"


@dataclass(frozen=True)
class Input:
    """A file by its name: how it is made, and its expected outcome."""

    name: str
    write: Callable[[Path], object]
    fate: str


def of_bytes(name: str, data: bytes, fate: str) -> Input:
    return Input(name, lambda path: path.write_bytes(data), fate)


def photograph(seed: int = 0) -> Image.Image:
    """Noise over a gradient, 96 x 64: no encoder can make it so small that a cut would not matter."""
    noise = np.random.default_rng(seed).integers(0, 60, (64, 96, 3))
    ramp = np.linspace(0, 195, 96)[None, :, None]
    return Image.fromarray((noise + ramp).astype(np.uint8))


WHOLE = {kind: encoded(photograph(), kind) for kind in KIND_NAMES}


def cut_pictures() -> Iterator[Input]:
    for kind, data in WHOLE.items():
        for percent in (1, 2, 3, 5, 10, 20, 30, 40, 50, 60, 75, 90):
            length = len(data) * percent // 100
            # What GIF, TIFF and BMP lack at the end may be no pixel. A JPEG is read as far as it goes.
            fate = BAD if percent <= 50 else EITHER
            if kind == "JPEG" and length > data.index(b"\xff\xda"):
                fate = GOOD if length > data.index(b"\xff\xda") + 64 else EITHER
            yield of_bytes(f"cut-{kind}-{percent}.jpg", data[:length], fate)


def damaged_pictures() -> Iterator[Input]:
    for kind, data in WHOLE.items():
        for seed in range(8):
            damaged = bytearray(data)
            random = np.random.default_rng(seed)
            for offset in random.integers(0, len(data) if seed % 2 else 200, size=1 + 6 * seed):
                damaged[offset] = random.integers(256)
            yield of_bytes(f"damaged-{kind}-{seed}.jpg", bytes(damaged), EITHER)


def jpeg_of_size(width: int, height: int) -> bytes:
    """A real JPEG whose head says another size."""
    data = bytearray(picture())
    offset = data.index(b"\xff\xc0") + 5
    data[offset : offset + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], body: bytes = b"") -> bytes:
    header = struct.pack(">II", width, height) + bytes([8, 2, 0, 0, 0])
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(body)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


ONE_PIXEL = b"\0\1\2\3"
TEXT_BOMB = b"Comment\0\0" + zlib.compress(bytes(200 << 20), 9)


def bombs() -> Iterator[Input]:
    yield Input("bomb-900-megapixels.png", huge_png, BAD)
    sizes = [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (0, 5), (20_000, 20_000), (1, 10**6)]
    for width, height in sizes:
        yield of_bytes(f"bomb-{width}x{height}.png", png(width, height), BAD)
    for width, height in [(65_500, 65_500), (65_535, 65_535), (0, 0), (65_535, 1)]:
        yield of_bytes(f"bomb-{width}x{height}.jpg", jpeg_of_size(width, height), EITHER)
    gif = bytearray(WHOLE["GIF"])
    gif[6:10] = b"\xff\xff\xff\xff"
    yield of_bytes("bomb-wide.gif", bytes(gif), EITHER)
    bmp = bytearray(WHOLE["BMP"])
    for name, side in (("large", 2**31 - 1), ("negative", 2**31), ("million", 10**6)):
        bmp[18:26] = struct.pack("<II", side, side)
        yield of_bytes(f"bomb-{name}.bmp", bytes(bmp), BAD)
    yield of_bytes("bomb-text.png", png(1, 1, (b"zTXt", TEXT_BOMB), body=ONE_PIXEL), EITHER)
    yield of_bytes("bomb-icc.png", png(1, 1, (b"iCCP", TEXT_BOMB), body=ONE_PIXEL), EITHER)
    yield of_bytes("bomb-pixels.png", png(1, 1, body=bytes(100 << 20)), EITHER)
    yield of_bytes("bomb-zip.jpg", b"PK\x03\x04" + bytes(1000), BAD)
    yield of_bytes("bomb-gzip.jpg", b"\x1f\x8b\x08" + zlib.compress(bytes(1 << 20)), BAD)
    yield Input("bomb-frames.gif", many_frames, GOOD)
    yield of_bytes("bomb-tiff-tags.tif", tiff_of_many_tags(), EITHER)
    yield of_bytes("bomb-tiff-loop.tif", tiff_loop(), EITHER)
    yield Input("bomb-600-mb.jpg", sparse, BAD)


def many_frames(path: Path) -> None:
    frames = [Image.new("L", (8, 8), number % 256) for number in range(500)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def tiff_of_many_tags() -> bytes:
    """65,000 tags that all claim the same megabyte."""
    tags = b"".join(struct.pack("<HHLL", tag, 1, 1 << 20, 8) for tag in range(300, 65_300))
    return b"II*\0" + struct.pack("<LH", 8, 65_000) + tags + bytes(4) + bytes(300_000)


def tiff_loop() -> bytes:
    """A directory whose next directory is itself."""
    return b"II*\0" + struct.pack("<LH", 8, 1) + struct.pack("<HHLL", 256, 3, 1, 5) + struct.pack("<L", 8)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(picture())
        file.truncate(600 << 20)


STRANGERS = {
    "text": b"Dear diary, " * 20,
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "xml": b"<?xml version='1.0'?><x/>",
    "pdf": b"%PDF-1.7\n" + bytes(100),
    "photoshop": b"8BPS\0\1" + bytes(100),
    "film": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100),
    "jpeg-xl": b"\xff\x0a" + bytes(50),
    "jpeg-2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50),
    "program": b"\x7fELF" + bytes(100),
    "python": b"import os\nos.system('true')\n",
    "empty": b"",
    "one-byte": b"\xff",
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "only-a-head-jpeg": b"\xff\xd8\xff",
    "only-a-head-png": b"\x89PNG\r\n\x1a\n",
    "only-a-head-gif": b"GIF89a",
    "only-a-head-webp": b"RIFF\0\0\0\0WEBP",
    "only-a-head-avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
    "only-a-head-heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "only-a-head-tiff": b"II*\0",
    "only-a-head-bmp": b"BM",
}


def strangers() -> Iterator[Input]:
    for name, data in STRANGERS.items():
        yield of_bytes(f"stranger-{name}.jpg", data, BAD)
    for seed in range(20):
        data = np.random.default_rng(seed).bytes(3000)
        yield of_bytes(f"random-{seed}.png", data, BAD)


def metadata() -> Iterator[Input]:
    """Pictures that are fine, with metadata that is not."""
    exif = Image.Exif()
    exif[0x010F], exif[0x010E] = "M" * 30_000, "x" * 30_000
    yield of_bytes("exif-large.jpg", encoded(photograph(), "JPEG", exif=exif.tobytes()), GOOD)
    for name, data in EXIFS.items():
        yield of_bytes(f"exif-{name}.jpg", encoded(photograph(), "JPEG", exif=b"Exif\0\0" + data), GOOD)
    packets = {
        "laughs": LAUGHS,
        "deep": b"<a>" * 15_000,
        "junk": b"\xff" * 5000,
        "words": block(),
        "nul": bytes(9),
    }
    for name, data in packets.items():
        for kind in ("JPEG", "WEBP"):
            yield of_bytes(f"xmp-{name}.{kind.lower()}", encoded(photograph(), kind, xmp=data), GOOD)
    text_chunks = PngImagePlugin.PngInfo()
    text_chunks.add_itxt("XML:com.adobe.xmp", LAUGHS.decode(), zip=True)
    yield of_bytes("xmp-packed.png", encoded(photograph(), "PNG", pnginfo=text_chunks), GOOD)
    iptc = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\xff\xff\xff\xff" + b"\x1c\x02\x19\xff\xff" * 50
    data = encoded(photograph(), "JPEG")
    segment = b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc
    yield of_bytes("iptc-lies.jpg", data[:2] + segment + data[2:], EITHER)
    yield of_bytes("segments.jpg", data[:2] + (b"\xff\xe1\0\x08Exif\0\0" * 20_000) + data[2:], EITHER)


def ifd(*tags: tuple[int, int, int, int], following: int = 0) -> bytes:
    body = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<LH", 8, len(tags)) + body + struct.pack("<L", following)


EXIFS = {
    "empty": b"",
    "loop": ifd((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), following=8),
    "far": ifd((0x8769, 4, 1, 2**31), (0x8825, 4, 1, 2**32 - 1)),
    "long": ifd((0x010F, 2, 2**31, 8), (0x9003, 2, 2**32 - 1, 8)),
    "zero-divided": ifd((0x8825, 4, 1, 26))
    + struct.pack("<H", 2)
    + struct.pack("<HHLL", 2, 5, 3, 60)
    + struct.pack("<HHLL", 4, 5, 3, 60)
    + bytes(40),
    "rotated-nowhere": ifd((0x0112, 3, 1, 999)),
    "rotated-text": ifd((0x0112, 2, 4, 0x41414141)),
    "types": ifd((0x010F, 99, 5, 8), (0x0110, 12, 1, 8), (0x9003, 7, 4, 0x41414141)),
    "junk": b"\xff" * 500,
}

BROKEN_SIDECARS = {
    "laughs.xmp": LAUGHS,
    "deep.json": b"[" * 200_000,
    "long.txt": b"x" * (2 << 20),
    "bytes.txt": bytes(200),
    "cut.json": b'{"caption": "x',
    "list.json": b"[1, 2]",
    "cut.xmp": block()[:200],
    "external.xmp": b'<!DOCTYPE x [<!ENTITY p SYSTEM "file:///etc/passwd">]><x>&p;</x>',
}
"""Each is next to a good picture of its name, which must come without it, with a note."""


NAMES = [
    "line\nbreak",
    "tab\tand bell\a",
    "\x1b[31mred",
    "-rf",
    "--help",
    " space ",
    "quote'\"`",
    "back\\slash",
    "percent%00%2e",
    "emoji-\U0001f436",
    "right-\u202eto-left",
    "dots...",
    "$(touch pwned)",
    "{}[]*?",
    "n" * 240,
    "ü" * 120,
    "http:",
    os.fsdecode(b"latin-\xe9\xff"),
    os.fsdecode(b"\x80\x81\x82"),
]


def names() -> Iterator[Input]:
    for name in NAMES:
        yield of_bytes(f"{name}.jpg", picture(), GOOD)
        yield of_bytes(f"bad {name}.jpg"[-250:], b"no picture", BAD)


def special_files() -> Iterator[Input]:
    yield Input("link-to-nowhere.jpg", lambda path: path.symlink_to("nowhere.jpg"), BAD)
    yield Input("link-to-itself.jpg", lambda path: path.symlink_to(path.name), BAD)
    yield Input("link-in-a-circle.jpg", circle, BAD)
    yield Input("link-to-zeros.jpg", lambda path: path.symlink_to("/dev/zero"), BAD)
    yield Input("link-to-nothing.jpg", lambda path: path.symlink_to("/dev/null"), BAD)
    yield Input("link-to-memory.jpg", lambda path: path.symlink_to("/proc/self/mem"), BAD)
    yield Input("link-to-status.jpg", lambda path: path.symlink_to("/proc/self/status"), BAD)
    yield Input("pipe.jpg", os.mkfifo, BAD)
    yield Input("socket.jpg", bound_socket, BAD)
    if os.geteuid() == 0:
        zero = os.makedev(1, 5)
        yield Input("device.jpg", lambda path: os.mknod(path, stat.S_IFCHR | 0o600, zero), BAD)


def circle(path: Path) -> None:
    other = path.with_name("circle")
    other.symlink_to(path.name)
    path.symlink_to(other.name)


def bound_socket(path: Path) -> None:
    """Bound where the name is short: a socket's address has at most 108 bytes."""
    there = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(f"/proc/self/fd/{there}/{path.name}")
    finally:
        os.close(there)


def hostile_files() -> list[Input]:
    kinds = (cut_pictures, damaged_pictures, bombs, strangers, metadata, names, special_files)
    return [item for kind in kinds for item in kind()]


def bad_tables() -> Iterator[Input]:
    """Return broken tables, all written to one folder."""
    whole = io.BytesIO()
    write_hugging_face(whole, ("red", "blue"))  # type: ignore[arg-type]
    data = whole.getvalue()
    for percent in (0, 5, 20, 50, 80, 95, 99):
        yield of_bytes(f"cut-{percent}.parquet", data[: len(data) * percent // 100], BAD)
    for seed in range(12):
        damaged = bytearray(data)
        random = np.random.default_rng(seed)
        for offset in random.integers(0, len(data), size=1 + 3 * seed):
            damaged[offset] = random.integers(256)
        yield of_bytes(f"damaged-{seed}.parquet", bytes(damaged), EITHER)
    for name, table in WRONG_TABLES.items():
        yield Input(f"wrong-{name}.parquet", lambda path, table=table: pq.write_table(table, path), BAD)
    for name, value in WRONG_PICTURES.items():
        table = pa.table({"image": pa.array([value], pa.binary())})
        yield Input(f"row-{name}.parquet", lambda path, table=table: pq.write_table(table, path), BAD)
    yield of_bytes("text.parquet", b"url\nhttp://a.example\n", BAD)
    yield of_bytes("pickle.parquet", b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.", BAD)


WRONG_TABLES = {
    "numbers": pa.table({"image": [1, 2]}),
    "texts": pa.table({"image": ["http://a.example/1.jpg"]}),
    "lists": pa.table({"image": [[1, 2, 3]]}),
    "structs": pa.table({"image": [{"path": "a.jpg"}]}),
    "nothing": pa.table({"n": [1]}),
    "nulls": pa.table({"image": pa.nulls(2)}),
    "bytes-as-text": pa.table({"image": [{"bytes": "text", "path": "a"}]}),
}
WRONG_PICTURES = {
    "null": None,
    "empty": b"",
    "text": b"no picture",
    "cut": WHOLE["JPEG"][:300],
    "bomb": png(100_000, 100_000),
    "zeros": bytes(1000),
}


def bad_archives() -> Iterator[Input]:
    """Return broken archives, all written to one folder."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.tar"
        write_webdataset(whole, ("red", "blue"))
        data = whole.read_bytes()
    for keep in (0, 1, 100, 512, 700, 1024, 1600, 2300, 3000):
        yield of_bytes(f"cut-{keep}.tar", data[:keep], BAD)
    for seed in range(12):
        damaged = bytearray(data)
        random = np.random.default_rng(seed)
        for offset in random.integers(0, len(data) // 2, size=2 + 20 * seed):
            damaged[offset] = random.integers(256)
        yield of_bytes(f"damaged-{seed}.tar", bytes(damaged), EITHER)
    for name, size in (("terabyte", 2**40), ("negative", -1), ("beyond", 10**7)):
        yield of_bytes(f"size-{name}.tar", archive_of_size(size), BAD)
    for name, packed in (
        ("gzip", zlib.compress(data)),
        ("zip", b"PK\x03\x04" + bytes(600)),
        ("text", b"x" * 2000),
    ):
        yield of_bytes(f"packed-{name}.tar", packed, BAD)
    for name, member in TRICKS.items():
        yield Input(
            f"trick-{name}.tar", lambda path, member=member: archive_with(path, member, b"no picture"), BAD
        )
        yield Input(
            f"fine-{name}.tar", lambda path, member=member: archive_with(path, member, picture()), GOOD
        )
    yield of_bytes("pax-bomb.tar", pax_bomb(), EITHER)


TRICKS = {
    "up": "../../../../tmp/pwned.jpg",
    "absolute": "/etc/pwned.jpg",
    "newline": "a\nb.jpg",
    "home": "~/pwned.jpg",
    "windows": "C:\\windows\\pwned.jpg",
    "dots": "./../.jpg.jpg",
    "long": "d/" * 300 + "a.jpg",
    "nul-like": "a%00.jpg",
    "bytes": os.fsdecode(b"\xe9\xff.jpg"),
}


def archive_with(path: Path, name: str, data: bytes) -> None:
    with tarfile.open(path, "w") as archive:
        add(archive, name, data)


def archive_of_size(size: int) -> bytes:
    stream = io.BytesIO()
    member = tarfile.TarInfo("a.jpg")
    member.size = size if size > 0 else 0
    head = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        head[124:136] = b"\xff" * 12
        head[148:156] = b" " * 8
        head[148:156] = b"%06o\0 " % sum(head)
    stream.write(head + picture())
    return stream.getvalue() + bytes(2048)


def pax_bomb() -> bytes:
    """An extended header that says a million times what a member is called."""
    record = b"18 path=aaaaa.jpg\n"
    member = tarfile.TarInfo("pax")
    member.type = tarfile.XHDTYPE
    body = record * 60_000
    member.size = len(body)
    padding = bytes(-len(body) % 512)
    return (
        member.tobuf()
        + body
        + padding
        + archive_of_size(900)[:512]
        + picture().ljust(1024, b"\0")
        + bytes(1024)
    )


def list_rows() -> list[tuple[object, str]]:
    """Urls of a list that cannot lead to a picture, whatever answers."""
    urls = [
        "",
        " ",
        "cat.jpg",
        "/etc/passwd",
        "../x.jpg",
        "//a.example/x",
        "http://",
        "http:///x",
        "http://[::1",
    ]
    urls += [
        f"{scheme}://a.example/x.jpg"
        for scheme in ("ftp", "file", "gopher", "data", "ws", "ssh", "javascript")
    ]
    urls += [
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http://a.example:99999/",
        "http://a b.example/x",
    ]
    urls += [f"http://{host}/x.jpg" for host in PRIVATE_HOSTS]
    urls += [
        "http://" + "a" * 300 + ".example/x",
        "http://a.example/" + "x" * 10_000,
        "http://a..b/x",
        "\0",
        "\ud800",
    ]
    values: list[object] = [None, 5, 1.5, True, [], {}, ["http://a.example/x"], {"url": "http://a.example"}]
    return [(value, BAD) for value in [*urls, *values]]


PRIVATE_HOSTS = [
    "10.0.0.1",
    "172.16.5.5",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fd00::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[2002:a00:1::]",
    "[64:ff9b::a00:1]",
    "10.1",
    "0x0a000001",
    "167772161",
    "user:password@10.0.0.1",
]


def write_list(path: Path, urls: list[object]) -> None:
    lines = [json.dumps({"url": url, "n": number}) for number, url in enumerate(urls)]
    broken = ["{", "[]", "5", "nonsense", '{"url": ', "[" * 10_000, '{"n": 1}']
    path.write_text("\n".join([*lines, *broken]))


def vectors(rows: int = 6, dim: int = 3, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).standard_normal((rows, dim)).astype(dtype)


def table(rows: int = 6) -> pa.Table:
    return pa.table({"url": [f"http://a.example/{row}" for row in range(rows)]})


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def parquet(rows: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(rows, stream)
    return stream.getvalue()


def npy_head(text: str, version: bytes = b"\1\0", length: int | None = None) -> bytes:
    body = text.encode().ljust(118) + b"\n"
    size = len(body) if length is None else length
    return b"\x93NUMPY" + version + struct.pack("<H", size % 65_536) + body


def head_of(shape: str, descr: str = "'<f4'", **options: object) -> bytes:
    return npy_head(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}", **options)  # type: ignore[arg-type]


IMPORTS: dict[str, dict[str, bytes]] = {
    "flat": {"img_emb/img_emb_0.npy": npy(vectors().ravel())},
    "cube": {"img_emb/img_emb_0.npy": npy(vectors()[None])},
    "scalar": {"img_emb/img_emb_0.npy": npy(np.float32(1.0))},
    "whole-numbers": {"img_emb/img_emb_0.npy": npy(vectors(dtype="int8"))},
    "short-numbers": {"img_emb/img_emb_0.npy": npy(vectors(dtype="uint16"))},
    "complex": {"img_emb/img_emb_0.npy": npy(vectors(dtype="complex64"))},
    "texts": {"img_emb/img_emb_0.npy": npy(np.array([["a"] * 3] * 6))},
    "objects": {"img_emb/img_emb_0.npy": npy(np.array([[print] * 3] * 6, dtype=object))},
    "fields": {"img_emb/img_emb_0.npy": npy(np.zeros(6, dtype=[("a", "f4")]))},
    "other-dim": {"img_emb/img_emb_0.npy": npy(vectors(dim=5))},
    "no-dim": {"img_emb/img_emb_0.npy": npy(vectors(dim=0))},
    "fewer-rows": {"img_emb/img_emb_0.npy": npy(vectors(5))},
    "more-rows": {"img_emb/img_emb_0.npy": npy(vectors(7))},
    "no-rows": {"img_emb/img_emb_0.npy": npy(vectors(0))},
    "empty-npy": {"img_emb/img_emb_0.npy": b""},
    "text-npy": {"img_emb/img_emb_0.npy": b"1 2 3 4"},
    "zip-npy": {"img_emb/img_emb_0.npy": b"PK\x03\x04" + bytes(100)},
    "pickle-npy": {"img_emb/img_emb_0.npy": b"\x80\x04cos\nsystem\n(S'true'\ntR."},
    "version-9": {"img_emb/img_emb_0.npy": head_of("(6, 3)", version=b"\x09\0") + bytes(72)},
    "version-3": {"img_emb/img_emb_0.npy": head_of("(6, 3)", version=b"\3\0") + bytes(72)},
    "long-head": {"img_emb/img_emb_0.npy": head_of("(6, 3)", length=65_535) + bytes(72)},
    "huge-shape": {"img_emb/img_emb_0.npy": head_of("(999999999999, 3)")},
    "negative-shape": {"img_emb/img_emb_0.npy": head_of("(-6, 3)") + bytes(72)},
    "shape-of-text": {"img_emb/img_emb_0.npy": head_of("'six'") + bytes(72)},
    "shape-of-yes": {"img_emb/img_emb_0.npy": head_of("(True, 3)") + bytes(72)},
    "code-in-head": {"img_emb/img_emb_0.npy": npy_head("__import__('os').system('true')") + bytes(72)},
    "deep-head": {"img_emb/img_emb_0.npy": npy_head("(" * 100) + bytes(72)},
    "type-of-nothing": {"img_emb/img_emb_0.npy": head_of("(6, 3)", descr="'<f3'") + bytes(72)},
    "type-of-objects": {"img_emb/img_emb_0.npy": head_of("(6, 3)", descr="'|O'") + bytes(144)},
    "second-of-other-dim": {
        "img_emb/img_emb_1.npy": npy(vectors(dim=4)),
        "metadata/metadata_1.parquet": parquet(table()),
    },
    "second-without-table": {"img_emb/img_emb_1.npy": npy(vectors())},
    "table-without-vectors": {"metadata/metadata_1.parquet": parquet(table())},
    "same-number": {"img_emb/img_emb_00.npy": npy(vectors())},
    "no-number": {"img_emb/vectors.npy": npy(vectors())},
    "empty-table": {"metadata/metadata_0.parquet": b""},
    "text-table": {"metadata/metadata_0.parquet": b"url,caption\n"},
    "table-of-no-rows": {"metadata/metadata_0.parquet": parquet(table(0))},
    "longer-table": {"metadata/metadata_0.parquet": parquet(table(60))},
    "name-twice": {
        "metadata/metadata_0.parquet": parquet(
            pa.Table.from_arrays([pa.array(range(6)), pa.array(range(6))], names=["a", "a"])
        )
    },
    **{
        f"cut-npy-{keep}": {"img_emb/img_emb_0.npy": npy(vectors())[:keep]}
        for keep in (1, 6, 8, 10, 60, 127, 128, 150, 199)
    },
    **{
        f"cut-table-{percent}": {
            "metadata/metadata_0.parquet": parquet(table())[: len(parquet(table())) * percent // 100]
        }
        for percent in (10, 50, 90, 99)
    },
}
"""What is put over a good `img_emb/img_emb_0.npy` of 6 x 3 with `metadata/metadata_0.parquet`."""

GOOD_IMPORT = {"img_emb/img_emb_0.npy": npy(vectors()), "metadata/metadata_0.parquet": parquet(table())}
