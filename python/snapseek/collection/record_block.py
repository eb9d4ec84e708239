"""The records of pictures in an answer: runs of JSON and of previews, parsed only for the pictures shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np

from snapseek.errors import PartitionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from snapseek.collection.frames import Array
    from snapseek.library.results import Hit

_MAX_TEXT = 1 << 16
_MAX_PREVIEW_BYTES = 1 << 16
_MAX_SIDE_PX = 1 << 30
_MAX_DEPTH = 32
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_NO_COLOR = "#808080"


class Recorded(NamedTuple):
    """The record of a picture without its id."""

    uri: str
    width: int
    height: int
    color: str
    caption: str | None
    meta: dict[str, Any]
    may_load: bool
    preview: bytes = b""


def record_arrays(hits: Sequence[Hit], include: Sequence[str]) -> dict[str, Array]:
    """Return the records of pictures as the arrays of an answer."""
    texts = [
        json.dumps(
            {
                "uri": hit.uri,
                "width": hit.width,
                "height": hit.height,
                "color": hit.color,
                "caption": hit.caption if "caption" in include else None,
                "meta": hit.meta if "meta" in include else {},
                "may_load": hit.may_load,
            },
            separators=(",", ":"),
        ).encode("ascii")
        for hit in hits
    ]
    previews = [hit.preview if "preview" in include else b"" for hit in hits]
    return {
        "records": np.frombuffer(b"".join(texts), np.uint8),
        "record_ends": np.cumsum([len(text) for text in texts], dtype=np.int64),
        "previews": np.frombuffer(b"".join(previews), np.uint8),
        "ends": np.cumsum([len(preview) for preview in previews], dtype=np.int64),
    }


class RecordBlock:
    """The records of pictures with these ids, in the arrays of an answer.

    Raises PartitionError for arrays of another shape.
    """

    def __init__(self, ids: Sequence[int], arrays: Mapping[str, Array]) -> None:
        self._indices = {item: index for index, item in enumerate(ids)}
        self._texts, self._text_ends = _runs(arrays, "records", "record_ends", len(ids))
        self._previews, self._preview_ends = _runs(arrays, "previews", "ends", len(ids))

    def __contains__(self, item: int) -> bool:
        return item in self._indices

    def __getitem__(self, item: int) -> Recorded:
        """Return the record of a picture. Raises PartitionError for one that cannot be read."""
        index = self._indices[item]
        low, high = self._preview_ends[index], self._preview_ends[index + 1]
        preview = self._previews[low:high].tobytes() if high - low <= _MAX_PREVIEW_BYTES else b""
        text = self._texts[self._text_ends[index] : self._text_ends[index + 1]].tobytes()
        try:
            return _record(json.loads(text.decode("ascii")), preview)
        except (ValueError, RecursionError) as error:
            raise PartitionError("records that are no JSON") from error

    def all(self) -> dict[int, Recorded]:
        """Return all records by id. Raises PartitionError for one that cannot be read."""
        return {item: self[item] for item in self._indices}


def _runs(arrays: Mapping[str, Array], name: str, ends_name: str, count: int) -> tuple[Array, list[int]]:
    """Return bytes, and where each of their `count` parts begins, with the end of the last."""
    data, ends = arrays.get(name), arrays.get(ends_name)
    if data is None or data.dtype != np.uint8 or data.ndim != 1:
        raise PartitionError(f"no {name}")
    if ends is None or ends.dtype != np.int64 or ends.shape != (count,):
        raise PartitionError(f"{name} of another number")
    starts: list[int] = [0, *ends.tolist()]
    if starts[-1] != len(data) or starts != sorted(starts):
        raise PartitionError(f"{name} of another size")
    return data, starts


def _record(record: object, preview: bytes) -> Recorded:
    if not isinstance(record, dict):
        raise PartitionError("a record that is no object")
    uri, width, height = record.get("uri"), record.get("width"), record.get("height")
    caption, meta, color = record.get("caption"), record.get("meta"), record.get("color")
    if not isinstance(uri, str) or len(uri) > _MAX_TEXT:
        raise PartitionError("a record without its uri")
    if not (_is_side(width) and _is_side(height)):
        raise PartitionError("a record of a picture without a size")
    is_caption = caption is None or isinstance(caption, str)
    if not isinstance(meta, dict) or not is_caption or not _is_shallow(meta):
        raise PartitionError("a record of another shape")
    return Recorded(
        uri,
        width,
        height,
        color if isinstance(color, str) and _COLOR.fullmatch(color) else _NO_COLOR,
        caption,
        meta,
        record.get("may_load") is True,
        preview,
    )


def _is_side(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _MAX_SIDE_PX


def _is_shallow(value: dict[str, Any]) -> bool:
    """Return whether objects and lists are nested no deeper than an answer can be written."""
    level: list[Any] = [child for child in value.values() if isinstance(child, dict | list)]
    for _ in range(_MAX_DEPTH):
        if not level:
            return True
        inner = [child for one in level for child in (one.values() if isinstance(one, dict) else one)]
        level = [child for child in inner if isinstance(child, dict | list)]
    return False
