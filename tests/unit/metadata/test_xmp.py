import io
from datetime import UTC, datetime

import pytest
from PIL import Image

from snapseek.images import open_image
from snapseek.metadata import ImageMetadata
from snapseek.metadata.xmp import MAX_DEPTH, MAX_XMP_BYTES, read_xmp

OPEN = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"'
)
CLOSE = "</rdf:Description></rdf:RDF></x:xmpmeta>"
WORDS = """ photoshop:DateCreated="2020-05-01T09:30:00+02:00" tiff:Make="Canon" tiff:Model="Canon EOS R">
<dc:title><rdf:Alt><rdf:li xml:lang="de">Tür</rdf:li>
<rdf:li xml:lang="x-default">Gate</rdf:li></rdf:Alt></dc:title>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A red
 gate &amp; a wall</rdf:li></rdf:Alt></dc:description>
<dc:subject><rdf:Bag><rdf:li>red</rdf:li><rdf:li>gate</rdf:li></rdf:Bag></dc:subject>
<exif:GPSLatitude>48,51.39N</exif:GPSLatitude><exif:GPSLongitude>2,21,7.2W</exif:GPSLongitude>"""


def block(inside=WORDS):
    return (OPEN + inside + CLOSE).encode()


EXPECTED = ImageMetadata(
    taken=datetime(2020, 5, 1, 7, 30, tzinfo=UTC),
    taken_offset_minutes=120,
    taken_from="xmp",
    camera="Canon EOS R",
    latitude=pytest.approx(48.8565),
    longitude=pytest.approx(-2.352),
    title="Gate",
    caption="A red gate & a wall",
    tags=("red", "gate"),
)


def test_all_that_is_wanted():
    assert read_xmp(block()) == EXPECTED
    assert read_xmp(b'<?xpacket begin="\xef\xbb\xbf"?>' + block() + b'<?xpacket end="w"?>\0\n') == EXPECTED
    assert read_xmp(block().decode().encode("utf-16")) == EXPECTED


def test_plain_elements_without_lists():
    assert read_xmp(block("><dc:title>Plain</dc:title>")) == ImageMetadata(title="Plain")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_inside_a_picture(kind):
    data = io.BytesIO()
    picture = Image.new("RGB", (9, 9))
    if kind == "TIFF":
        picture.save(data, kind, tiffinfo={700: block()})
    elif kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        metadata = PngInfo()
        metadata.add_itxt("XML:com.adobe.xmp", block().decode())
        picture.save(data, kind, pnginfo=metadata)
    else:
        picture.save(data, kind, xmp=block())
    assert open_image(data.getvalue()).metadata == EXPECTED


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><l>&j;</l>"
)
REFUSED = {
    "a billion laughs": (LAUGHS, "document type"),
    "in UTF-16": (LAUGHS.decode().encode("utf-16"), "document type"),
    "a document type alone": (b"<!DOCTYPE x><x/>", "document type"),
    "a file of the system": (
        b'<!DOCTYPE x [<!ENTITY p SYSTEM "file:///etc/passwd">]><x>&p;</x>',
        "document type",
    ),
    "an entity that is not declared": (b"<x>&p;</x>", "not well-formed"),
    "too deep": (b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1), "nested deeper"),
    "too deep by a million": (b"<a>" * 300_000, "nested deeper"),
    "too long": (b"<a>" + b" " * MAX_XMP_BYTES + b"</a>", "KiB"),
    "cut": (block()[:-30], "not well-formed"),
    "nothing": (b"", "not well-formed"),
    "no XML": (b"\x89PNG\r\n", "not well-formed"),
    "an unknown encoding": (b'<?xml version="1.0" encoding="x-nothing"?><x/>', "not well-formed"),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(data):
    with pytest.raises(ValueError, match=data[1]):
        read_xmp(data[0])


def test_many_values_are_bounded():
    entries = "<rdf:li>t</rdf:li>" * 50_000
    assert read_xmp(block(f"><dc:subject><rdf:Bag>{entries}</rdf:Bag></dc:subject>")).tags == ("t",)


NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:lr="http://ns.adobe.com/lightroom/1.0/" '
    'xmlns:digiKam="http://www.digikam.org/ns/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/" xmlns:acdsee="http://ns.acdsee.com/iptc/1.0/" '
    'xmlns:mediapro="http://ns.iview-multimedia.com/mediapro/1.0/" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:people="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
)


def described(inside="", **attributes):
    """Read a block with properties as attributes and as elements."""
    return read_xmp(described_block(inside, **attributes))


def described_block(inside="", **attributes):
    written = " ".join(f'{name.replace("_", ":")}="{value}"' for name, value in attributes.items())
    text = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {NAMESPACES} {written}>{inside}{CLOSE}'
    )
    return text.encode()


def entries(name, *values, kind="Bag"):
    return f"<{name}><rdf:{kind}>{''.join(f'<rdf:li>{v}</rdf:li>' for v in values)}</rdf:{kind}></{name}>"


@pytest.mark.parametrize(
    ("inside", "tags"),
    [
        (entries("dc:subject", "beach", "2024"), ("beach", "2024")),
        (entries("dc:subject", "beach", kind="Seq"), ("beach",)),
        (entries("dc:subject", "beach", kind="Alt"), ("beach",)),
        (entries("lr:hierarchicalSubject", "unterwegs|Föhr|2024"), ("unterwegs", "Föhr", "2024")),
        (
            entries("dc:subject", "Norway") + entries("lr:hierarchicalSubject", "places|Norway"),
            ("Norway", "places"),
        ),
        (entries("digiKam:TagsList", "Family/Anna", kind="Seq"), ("Family", "Anna")),
        (entries("MicrosoftPhoto:LastKeywordXMP", "garden"), ("garden",)),
        (entries("mediapro:CatalogSets", "Trips|Oslo"), ("Trips", "Oslo")),
        (entries("acdsee:keywords", "boat"), ("boat",)),
        (entries("people:PersonInImage", "Ada"), ("Ada",)),
        (entries("lr:hierarchicalSubject", "darktable|exported|jpg", "sea"), ("sea",)),
        ("<dc:subject>beach</dc:subject>", ("beach",)),
        (
            "<dc:subject><rdf:Bag><rdf:li rdf:parseType='Resource'><rdf:value>beach</rdf:value></rdf:li>"
            "</rdf:Bag></dc:subject>",
            ("beach",),
        ),
        ("<dc:subject><rdf:Bag/></dc:subject>", ()),
    ],
)
def test_tags_of_all_programs(inside, tags):
    assert described(inside).tags == tags


def test_tags_as_an_attribute():
    assert described(dc_subject="beach").tags == ("beach",)


@pytest.mark.parametrize(
    ("attributes", "stars"),
    [
        ({"xmp_Rating": "5"}, 5),
        ({"xmp_Rating": "3.0"}, 3),
        ({"xmp_Rating": "-1"}, -1),
        ({"xmp_Rating": "0"}, None),
        ({"xmp_Rating": "many"}, None),
        ({"MicrosoftPhoto_Rating": "75"}, 4),
        ({"MicrosoftPhoto_Rating": "99", "xmp_Rating": "2"}, 2),
    ],
)
def test_ratings(attributes, stars):
    assert described(**attributes).rating == stars
    inside = "".join(f"<{n.replace('_', ':')}>{v}</{n.replace('_', ':')}>" for n, v in attributes.items())
    assert described(inside).rating == stars


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("48,51.39N", "2,21.12W", (48.8565, -2.352)),
        ("48.8565", "-2.352", (48.8565, -2.352)),
        ("48,51.390000000000000000N", "2,21,7.2W", (48.8565, -2.352)),
        ("north", "2,21.12W", (None, None)),
    ],
)
def test_locations(latitude, longitude, expected):
    found = described(exif_GPSLatitude=latitude, exif_GPSLongitude=longitude)
    assert (found.latitude, found.longitude) == (expected if expected[0] is None else pytest.approx(expected))


def test_a_location_with_its_direction_apart():
    found = described(
        exif_GPSLatitude="33.5",
        exif_GPSLatitudeRef="S",
        exif_GPSLongitude="70.5",
        exif_GPSLongitudeRef="West",
    )
    assert (found.latitude, found.longitude) == (-33.5, -70.5)


@pytest.mark.parametrize(
    ("date", "moment", "offset"),
    [
        ("2024-01-01T00:30:00+01:00", datetime(2023, 12, 31, 23, 30, tzinfo=UTC), 60),
        ("2024-01-01T00:30", datetime(2024, 1, 1, 0, 30, tzinfo=UTC), None),
        ("2024-01-01T00:30:00.25Z", datetime(2024, 1, 1, 0, 30, 0, 250_000, UTC), 0),
        ("2024:01:01 00:30:00", datetime(2024, 1, 1, 0, 30, tzinfo=UTC), None),
        ("2024-06", datetime(2024, 6, 1, tzinfo=UTC), None),
        ("2024", datetime(2024, 1, 1, tzinfo=UTC), None),
        ("20", None, None),
    ],
)
def test_dates(date, moment, offset):
    found = described(exif_DateTimeOriginal=date)
    assert (found.taken, found.taken_offset_minutes) == (moment, offset)


def test_the_default_language_counts():
    words = '<rdf:li xml:lang="de">Tür</rdf:li><rdf:li xml:lang="x-default">Gate</rdf:li>'
    assert described(f"<dc:description><rdf:Alt>{words}</rdf:Alt></dc:description>").caption == "Gate"
    words = '<rdf:li xml:lang="de">Tür</rdf:li><rdf:li xml:lang="en">Gate</rdf:li>'
    assert described(f"<dc:description><rdf:Alt>{words}</rdf:Alt></dc:description>").caption == "Tür"
