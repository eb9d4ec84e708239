"""Read XMP: title, caption, keywords, rating, time, camera and location from untrusted XML.

The XML is parsed as a stream by expat, and only the wanted texts are kept. Rejected are document types and
entities (which expand a kilobyte to gigabytes), blocks above MAX_XMP_BYTES, and nesting above MAX_DEPTH.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from xml.parsers import expat

from snapseek.metadata.degrees import parse_degrees
from snapseek.metadata.exif import stars_of_percent
from snapseek.metadata.image_metadata import MAX_CAPTION, MAX_TAGS, ImageMetadata, parse_date

MAX_XMP_BYTES = 1 << 20
MAX_DEPTH = 64

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_DC = "http://purl.org/dc/elements/1.1/"
_XAP = "http://ns.adobe.com/xap/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_TIFF = "http://ns.adobe.com/tiff/1.0/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_MICROSOFT = "http://ns.microsoft.com/photo/1.0/"
_ACDSEE = "http://ns.acdsee.com/iptc/1.0/"
_XML = "http://www.w3.org/XML/1998/namespace"

_TITLES = (f"{_DC} title", f"{_PHOTOSHOP} Headline")
_CAPTIONS = (
    f"{_DC} description",
    f"{_EXIF} UserComment",
    f"{_TIFF} ImageDescription",
    f"{_ACDSEE} caption",
)
_FLAT_TAGS = (
    f"{_DC} subject",
    f"{_ACDSEE} keywords",
    "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ PersonInImage",
    "http://www.metadataworkinggroup.com/schemas/regions/ Name",
    "http://ns.microsoft.com/photo/1.2/t/Region# PersonDisplayName",
)
_HIERARCHIES = {
    "http://ns.adobe.com/lightroom/1.0/ hierarchicalSubject": "|",
    "http://www.digikam.org/ns/1.0/ TagsList": "/",
    f"{_MICROSOFT} LastKeywordXMP": "/",
    f"{_MICROSOFT.rstrip('/')} LastKeywordXMP": "/",
    "http://ns.iview-multimedia.com/mediapro/1.0/ CatalogSets": "|",
}
"""Properties whose tags are paths, with the separator: `places|Norway`. Each level becomes a tag."""

_INTERNAL = frozenset({"darktable", "_digikam_internal_tags_"})
"""The top level of tags that programs keep for themselves."""

_TIMES = (
    f"{_EXIF} DateTimeOriginal",
    f"{_PHOTOSHOP} DateCreated",
    f"{_XAP} CreateDate",
    f"{_EXIF} DateTimeDigitized",
)
_RATING, _PERCENT = (f"{_XAP} Rating", f"{_ACDSEE} rating"), f"{_MICROSOFT} Rating"
_MAKE, _MODEL = f"{_TIFF} Make", f"{_TIFF} Model"
_LATITUDE, _LONGITUDE = f"{_EXIF} GPSLatitude", f"{_EXIF} GPSLongitude"
_WANTED = frozenset(
    {*_TITLES, *_CAPTIONS, *_FLAT_TAGS, *_HIERARCHIES, *_TIMES, *_RATING, _PERCENT, _MAKE, _MODEL}
    | {_LATITUDE, _LONGITUDE, f"{_LATITUDE}Ref", f"{_LONGITUDE}Ref"}
)

_Values = dict[str, list[str]]


def read_xmp(block: bytes) -> ImageMetadata:
    """Return the metadata in an XMP block. Raises ValueError if it is rejected or not XML."""
    values = _Reader().read(block)
    return ImageMetadata.of(
        taken=next((when for text in _texts(values, _TIMES) if (when := _date(text))), None),
        taken_from="xmp",
        rating=_rating(values),
        camera=_camera(values),
        location=_location(values),
        title=next(iter(_texts(values, _TITLES)), None),
        caption=next(iter(_texts(values, _CAPTIONS)), None),
        tags=[*_texts(values, _FLAT_TAGS), *_levels(values)],
    )


def _texts(values: _Values, names: Iterable[str]) -> list[str]:
    return [text for name in names for text in values.get(name, [])]


def _levels(values: _Values) -> list[str]:
    return [
        level
        for name, separator in _HIERARCHIES.items()
        for path in values.get(name, [])
        for level in levels_of(path, separator)
    ]


def levels_of(path: str, separator: str) -> list[str]:
    """Return the levels of a hierarchical tag; none of one that a program keeps for itself."""
    levels = [level.strip() for level in path.split(separator)]
    return [] if levels[0].casefold() in _INTERNAL else levels


def _date(text: str) -> datetime | None:
    """Parse a date of XMP, which may be a year alone."""
    text = text.strip()
    return parse_date(f"{text}-01" if len(text) == 4 and text.isdecimal() else text)


def _rating(values: _Values) -> object:
    stars = next(iter(_texts(values, _RATING)), None)
    percent = next(iter(_texts(values, [_PERCENT])), "").strip()
    if stars is None and percent.isdecimal() and len(percent) <= 3:
        return stars_of_percent(int(percent))
    return stars


class _Reader:
    """Collects the texts of wanted properties from attributes, elements and lists."""

    def __init__(self) -> None:
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        self._path: list[tuple[str, bool]] = []
        self._text: list[str] = []

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
        language = attributes.get(f"{_XML} lang")
        is_default = language == "x-default" if language else bool(self._path and self._path[-1][1])
        self._path.append((name, is_default))
        self._text.clear()
        for attribute, value in attributes.items():
            if attribute in _WANTED and value.strip():
                self._add(attribute, value, is_default=False)

    def _end(self, name: str) -> None:
        _, is_default = self._path.pop()
        text = "".join(self._text)
        self._text.clear()
        # <dc:title><rdf:Alt><rdf:li>...: the property is the nearest ancestor that is not of RDF itself.
        owner = name
        if name.startswith(f"{_RDF} "):
            owner = next((above for above, _ in reversed(self._path) if not above.startswith(f"{_RDF} ")), "")
        if owner in _WANTED and text.strip():
            self._add(owner, text, is_default=is_default)

    def _add(self, name: str, text: str, *, is_default: bool) -> None:
        values = self._values[name]
        if len(values) < MAX_TAGS:
            values.insert(0 if is_default else len(values), text[: 4 * MAX_CAPTION])


def _without_padding(block: bytes) -> bytes:
    """Remove padding after the XML, which programs write for later edits and expat rejects."""
    is_wide = block[:2] in (b"\xff\xfe", b"\xfe\xff")
    return block if is_wide else block.strip(b"\0 \t\r\n")


def _refuse(*_: object) -> None:
    raise ValueError("the XMP declares a document type or an entity, which is not allowed")


def _camera(values: _Values) -> str | None:
    make, model = (next(iter(values.get(name, [])), "").strip() for name in (_MAKE, _MODEL))
    if make and model.casefold().startswith(make.split()[0].casefold()):
        make = ""
    return f"{make} {model}".strip() or None


def _location(values: _Values) -> tuple[float, float] | None:
    latitude, longitude = (
        next(
            (
                degrees
                for text in values.get(name, [])
                if (degrees := parse_degrees(text, next(iter(values.get(f"{name}Ref", [])), None)))
                is not None
            ),
            None,
        )
        for name in (_LATITUDE, _LONGITUDE)
    )
    return None if latitude is None or longitude is None else (latitude, longitude)
