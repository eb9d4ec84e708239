"""Read IPTC, the metadata of press programs: Information Interchange Model 4.2, records 1 and 2."""

from collections import defaultdict
from datetime import datetime

from snapseek.metadata.image_metadata import ImageMetadata, parse_date

MAX_IPTC_BYTES = 1 << 20

_MARK = 0x1C
_CHARSET, _TITLE, _KEYWORD, _CAPTION = (1, 90), (2, 5), (2, 25), (2, 120)
_DAY, _TIME = (2, 55), (2, 60)
_UTF8 = b"\x1b%G"


def read_iptc(block: bytes) -> ImageMetadata:
    """Return title, caption, keywords and the day of creation up to the first damaged field."""
    fields = _fields(block[:MAX_IPTC_BYTES])
    is_utf8 = _UTF8 in fields.get(_CHARSET, [])
    text = {
        name: [_decoded(value, is_utf8) for value in fields.get(name, [])]
        for name in (_TITLE, _KEYWORD, _CAPTION, _DAY, _TIME)
    }
    return ImageMetadata.of(
        taken=_taken(next(iter(text[_DAY]), ""), next(iter(text[_TIME]), "")),
        taken_from="iptc",
        title=next(iter(text[_TITLE]), None),
        caption=next(iter(text[_CAPTION]), None),
        tags=text[_KEYWORD],
    )


def _taken(day: str, time: str) -> datetime | None:
    """Return the time of `20190721` and `101112+0200`; the time of day is optional."""
    date = f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 else ""
    clock = f"{time[:2]}:{time[2:4]}:{time[4:6]}{time[6:]}"
    return parse_date(f"{date} {clock}") or parse_date(date)


def _fields(block: bytes) -> dict[tuple[int, int], list[bytes]]:
    found: defaultdict[tuple[int, int], list[bytes]] = defaultdict(list)
    start = 0
    while start + 5 <= len(block) and block[start] == _MARK:
        size = int.from_bytes(block[start + 3 : start + 5], "big")
        if size > 0x7FFF:  # an extended length, which no text needs
            break
        found[block[start + 1], block[start + 2]].append(block[start + 5 : start + 5 + size])
        start += 5 + size
    return found


def _decoded(value: bytes, is_utf8: bool) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("utf-8" if is_utf8 else "latin-1", "replace")
