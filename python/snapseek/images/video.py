"""Videos: one frame stands for the video. FFmpeg reads them, through the optional package PyAV."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from snapseek.errors import PictureError
from snapseek.file_kinds import VIDEO_SUFFIXES, suffix_of
from snapseek.images.formats import HEAD_BYTES, find_format
from snapseek.metadata import ImageMetadata
from snapseek.metadata.image_metadata import parse_date

_FRAME_AT = 0.1
"""The share of a video after which its frame is taken: many begin black."""

_LOCATION_KEYS = ("com.apple.quicktime.location.ISO6709", "location", "location-eng")
_ISO_6709 = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")
_MAX_FRAME_PIXELS = 200_000_000


@dataclass(frozen=True)
class VideoFrame:
    """An upright frame of a video, its length in seconds if it is known, and its metadata."""

    image: Image.Image
    duration_s: float | None
    metadata: ImageMetadata


def is_video(path: Path) -> bool:
    """Return whether a file has the name of a video and is none of the formats of pictures."""
    if suffix_of(path) not in VIDEO_SUFFIXES:
        return False
    with path.open("rb") as file:
        return find_format(file.read(HEAD_BYTES)) is None


def read_frame(path: Path) -> VideoFrame:
    """Return a frame of a video. Raises PictureError if FFmpeg cannot read it, or is not installed."""
    try:
        import av
    except ImportError as error:
        raise PictureError(
            "videos need a package that is not installed", hint='run: pip install "snapseek[video]"'
        ) from error
    try:
        # PyAV 19 reads any bytes of metadata as text by itself.
        decoding: dict[str, Any] = (
            {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
        )
        with av.open(str(path), **decoding) as container:
            duration_s = container.duration / av.time_base if container.duration else None
            frame = _frame(container)
            turn = round(getattr(frame, "rotation", 0) / 90) * 90 % 360
            image = frame.to_image().rotate(turn, expand=True) if turn else frame.to_image()
            return VideoFrame(image, duration_s, _metadata(dict(container.metadata)))
    except (av.FFmpegError, ValueError, OverflowError) as error:
        raise PictureError(f"the video is damaged or not supported: {_words(error)}") from error


def _frame(container: Any) -> Any:
    if not container.streams.video:
        raise PictureError(expected="a video", got="a file without moving pictures")
    stream = container.streams.video[0]
    if stream.width * stream.height > _MAX_FRAME_PIXELS:
        raise PictureError(f"the video has frames of {stream.width * stream.height / 1e6:.0f} megapixels")
    if container.duration:
        container.seek(int(container.duration * _FRAME_AT))
    frame = next(container.decode(stream), None)
    if frame is None:
        container.seek(0)
        frame = next(container.decode(stream), None)
    if frame is None:
        raise PictureError("the video has no frame that can be read")
    return frame


def _metadata(tags: dict[str, str]) -> ImageMetadata:
    found = next((tags[key] for key in _LOCATION_KEYS if key in tags), "")
    position = _ISO_6709.match(found)
    return ImageMetadata.of(
        taken=_taken(tags.get("com.apple.quicktime.creationdate") or tags.get("creation_time")),
        location=(float(position[1]), float(position[2])) if position else None,
        camera=tags.get("com.apple.quicktime.model"),
        title=tags.get("title"),
    )


def _taken(text: str | None) -> datetime | None:
    taken = parse_date(text)
    return taken if taken is not None and taken.year > 1904 else None  # QuickTime's zero


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)  # FFmpeg's own message names the file
    return next(iter(text.splitlines()), type(error).__name__)
