"""Read XMP: title, caption, keywords, time, camera and location from untrusted XML.

The XML is parsed as a stream by expat, and only the wanted texts are kept. Rejected are document types and
entities (which expand a kilobyte to gigabytes), blocks above MAX_XMP_BYTES, and nesting above MAX_DEPTH.
"""

import re
from collections import defaultdict
from xml.parsers import expat

from snapseek.metadata.image_metadata import MAX_CAPTION, MAX_TAGS, ImageMetadata, parse_date

MAX_XMP_BYTES = 1 << 20
MAX_DEPTH = 64

_DC = "http://purl.org/dc/elements/1.1/"
_XAP = "http://ns.adobe.com/xap/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_XML = "http://www.w3.org/XML/1998/namespace"
_TITLE, _CAPTION, _TAGS = f"{_DC} title", f"{_DC} description", f"{_DC} subject"
_TIMES = (f"{_EXIF} DateTimeOriginal", f"{_PHOTOSHOP} DateCreated", f"{_XAP} CreateDate")
_MAKE, _MODEL = f"{_TIFF} Make", f"{_TIFF} Model"
_LATITUDE, _LONGITUDE = f"{_EXIF} GPSLatitude", f"{_EXIF} GPSLongitude"
_WANTED = frozenset({_TITLE, _CAPTION, _TAGS, *_TIMES, _MAKE, _MODEL, _LATITUDE, _LONGITUDE})
_DEGREES = re.compile(r"(\d{1,3})(?:,(\d{1,2}(?:\.\d{1,12})?))?(?:,(\d{1,2}(?:\.\d{1,12})?))?([NSEW])")


def read_xmp(block: bytes) -> ImageMetadata:
    """Return the metadata in an XMP block. Raises ValueError if it is rejected or not XML."""
    values = _Reader().read(block)
    return ImageMetadata.of(
        taken=next((when for name in _TIMES for text in values[name] if (when := parse_date(text))), None),
        camera=_camera(values),
        location=_location(values),
        title=next(iter(values[_TITLE]), None),
        caption=next(iter(values[_CAPTION]), None),
        tags=values[_TAGS],
    )


class _Reader:
    """Collects the texts of wanted properties from attributes, elements and lists."""

    def __init__(self) -> None:
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        self._path: list[str] = []
        self._text: list[str] = []
        self._is_default = False

    def read(self, block: bytes) -> dict[str, list[str]]:
        if len(block) > MAX_XMP_BYTES:
            raise ValueError(
                f"the XMP has {len(block) >> 10} KiB, and at most {MAX_XMP_BYTES >> 10} are read"
            )
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        try:
            parser.Parse(_without_padding(block), True)
        except (expat.ExpatError, UnicodeError, LookupError) as error:
            raise ValueError(f"the XMP is not well-formed XML: {error}") from error
        return self._values

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MAX_DEPTH:
            raise ValueError(f"the XMP is nested deeper than {MAX_DEPTH} elements")
        self._path.append(name)
        self._text.clear()
        self._is_default = attributes.get(f"{_XML} lang") == "x-default"
        for attribute, value in attributes.items():
            if attribute in _WANTED:
                self._add(attribute, value)

    def _end(self, name: str) -> None:
        self._path.pop()
        text = "".join(self._text)
        self._text.clear()
        # <dc:title><rdf:Alt><rdf:li>...: the property is the grandparent of its entries.
        owner = self._path[-2] if name.endswith(" li") and len(self._path) > 1 else name
        if owner in _WANTED and text.strip():
            self._add(owner, text)

    def _add(self, name: str, text: str) -> None:
        values = self._values[name]
        if len(values) < MAX_TAGS:
            values.insert(0 if self._is_default else len(values), text[: 4 * MAX_CAPTION])


def _without_padding(block: bytes) -> bytes:
    """Remove padding after the XML, which programs write for later edits and expat rejects."""
    is_wide = block[:2] in (b"\xff\xfe", b"\xfe\xff")
    return block if is_wide else block.strip(b"\0 \t\r\n")


def _refuse(*_: object) -> None:
    raise ValueError("the XMP declares a document type or an entity, which is not allowed")


def _camera(values: dict[str, list[str]]) -> str | None:
    make, model = (next(iter(values.get(name, [])), "").strip() for name in (_MAKE, _MODEL))
    if make and model.casefold().startswith(make.split()[0].casefold()):
        make = ""
    return f"{make} {model}".strip() or None


def _location(values: dict[str, list[str]]) -> tuple[float, float] | None:
    latitude, longitude = (_degrees(values.get(name, [])) for name in (_LATITUDE, _LONGITUDE))
    return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(texts: list[str]) -> float | None:
    """Return degrees from `48,51.39N` or `48,51,23.4N`."""
    match = _DEGREES.fullmatch(texts[0].strip().replace(" ", "")) if texts else None
    if match is None:
        return None
    total: float = sum(float(part or 0) / 60**index for index, part in enumerate(match.groups()[:3]))
    return -total if match[4] in "SW" else total
