"""Small RAW files and videos."""

import io
import struct
from pathlib import Path

import numpy as np
from PIL import Image

Field = tuple[int, int, int, bytes]
RED = (200, 60, 30)
TAKEN = "2020:05:06 07:08:09"


def _ascii(tag: int, text: str) -> Field:
    return tag, 2, len(text) + 1, text.encode() + b"\0"


def _bytes(tag: int, *values: int) -> Field:
    return tag, 1, len(values), bytes(values)


def _short(tag: int, *values: int) -> Field:
    return tag, 3, len(values), struct.pack(f"<{len(values)}H", *values)


def _long(tag: int, *values: int) -> Field:
    return tag, 4, len(values), struct.pack(f"<{len(values)}I", *values)


def _ratio(tag: int, kind: int, *values: int) -> Field:
    return tag, kind, len(values), b"".join(struct.pack("<ii", value, 1) for value in values)


def _directory(fields: list[Field], start: int) -> bytes:
    """Return a TIFF directory at an offset, with its long values behind it."""
    head, extra = struct.pack("<H", len(fields)), b""
    after = start + 2 + 12 * len(fields) + 4
    for tag, kind, count, value in sorted(fields):
        head += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            head += value.ljust(4, b"\0")
        else:
            head += struct.pack("<I", after + len(extra))
            extra += value + b"\0" * (len(value) % 2)
    return head + b"\0\0\0\0" + extra


def write_dng(
    path: Path, *, size: tuple[int, int] = (128, 96), orientation: int = 1, preview: bool = True
) -> None:
    """Write a DNG file: a Bayer pattern, and a red JPEG as its preview."""
    width, height = size
    stream = io.BytesIO()
    Image.new("RGB", size, RED).save(stream, "JPEG")
    jpeg = stream.getvalue() + b"\0" * (len(stream.getvalue()) % 2)
    bayer = np.full((height, width), 2000, np.uint16)
    bayer[::2, ::2] = 6000
    camera = [
        *(_long(254, int(preview)), _ascii(271, "Test"), _ascii(272, "Cam"), _ascii(306, TAKEN)),
        *(_short(274, orientation), _bytes(50706, 1, 4, 0, 0), _bytes(50707, 1, 1, 0, 0)),
        *(_ascii(50708, "Test Cam"), _ratio(50721, 10, 1, 0, 0, 0, 1, 0, 0, 0, 1), _short(50778, 21)),
        _ratio(50728, 5, 1, 1, 1),
    ]

    def sensor(offset: int) -> list[Field]:
        return [
            *(_long(256, width), _long(257, height), _short(258, 16), _short(259, 1), _short(262, 32803)),
            *(_long(273, offset), _short(277, 1), _long(278, height), _long(279, bayer.nbytes)),
            *(_short(284, 1), _short(33421, 2, 2), _bytes(33422, 0, 1, 1, 2), _long(50714, 0)),
            _long(50717, 16383),
        ]

    def shown(offset: int, sub: int) -> list[Field]:
        return [
            *(_long(256, width), _long(257, height), _short(258, 8, 8, 8), _short(259, 7), _short(262, 6)),
            *(_long(273, offset), _short(277, 3), _long(278, height), _long(279, len(jpeg)), _short(284, 1)),
            _long(330, sub),
        ]

    def header(sub: int, jpeg_at: int, bayer_at: int) -> tuple[bytes, bytes]:
        if not preview:
            return _directory([*camera, *sensor(bayer_at)], 8), b""
        first = _directory([*camera, *shown(jpeg_at, sub)], 8)
        return first, _directory([_long(254, 0), *sensor(bayer_at)], sub)

    first, second = header(0, 0, 0)
    sub = 8 + len(first)
    jpeg_at = sub + len(second)
    first, second = header(sub, jpeg_at, jpeg_at + len(jpeg))
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + first + second + jpeg + bayer.tobytes())


def write_video(path: Path, *, seconds: int = 3, size: tuple[int, int] = (64, 48), **tags: str) -> None:
    """Write a video of ten frames a second: two black ones, then red."""
    import av

    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(10 * seconds):
            frame = np.zeros((size[1], size[0], 3), np.uint8)
            frame[:] = (0, 0, 0) if number < 2 else RED
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
