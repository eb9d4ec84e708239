"""The script that collects the demo pictures: its reader of Qt resources, its pictures, its mirror."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms

DEMO = Path(__file__).resolve().parents[2] / "demo"


@pytest.fixture(autouse=True)
def demo_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(DEMO)


def resource_file(files: dict[str, bytes], *, packed: bool) -> bytes:
    """A Qt resource of version 1 with one folder `pictures` that holds `files`."""
    names, data = io.BytesIO(), io.BytesIO()

    def add_name(name: str) -> int:
        start = names.tell()
        names.write(struct.pack(">HI", len(name), 0) + name.encode("utf-16-be"))
        return start

    def add_data(content: bytes) -> int:
        start = data.tell()
        stored = struct.pack(">I", len(content)) + zlib.compress(content) if packed else content
        data.write(struct.pack(">I", len(stored)) + stored)
        return start

    nodes = [struct.pack(">IHII", 0, 2, 1, 1), struct.pack(">IHII", add_name("pictures"), 2, len(files), 2)]
    nodes += [
        struct.pack(">IHII", add_name(name), int(packed), 0, add_data(content))
        for name, content in files.items()
    ]
    tree = b"".join(nodes)
    begin = 20
    header = struct.pack(">4I", 1, begin, begin + len(tree), begin + len(tree) + data.tell())
    return b"qres" + header + tree + data.getvalue() + names.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_files_inside_a_qt_resource(packed: bool) -> None:
    from qt_resource import QtResource

    resource = QtResource(resource_file({"cat.webp": b"meow", "größe.webp": b"large"}, packed=packed))
    assert resource.read("pictures/cat.webp") == b"meow"
    assert resource.read("pictures/größe.webp") == b"large"
    for absent in ("pictures/dog.webp", "cat.webp", "pictures"):
        with pytest.raises(KeyError):
            resource.read(absent)


def test_other_files_are_no_qt_resource() -> None:
    from qt_resource import QtResource

    with pytest.raises(ValueError, match="begins with 'qres'"):
        QtResource(b"PK\x03\x04")


def test_a_demo_picture_is_small_on_white_and_bare() -> None:
    from photograph import LONG_SIDE, demo_jpeg

    source = io.BytesIO()
    picture = Image.new("RGBA", (1000, 500), (0, 0, 0, 0))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture.save(source, "PNG", icc_profile=profile)
    with Image.open(io.BytesIO(demo_jpeg(source.getvalue()))) as made:
        assert (made.format, made.size, made.mode) == ("JPEG", (LONG_SIDE, LONG_SIDE // 2), "RGB")
        assert made.getpixel((9, 9)) == (255, 255, 255)
        assert "icc_profile" not in made.info


def test_the_mirror_is_debians_main_archive() -> None:
    from debian import first_debian_uri

    lines = ["https://a.example/x/ Debian Debian-Security", "https://b.example/debian/ Debian Debian"]
    assert first_debian_uri(lines) == "https://b.example/debian/"
    with pytest.raises(SystemExit, match="knows no Debian mirror"):
        first_debian_uri(lines[:1])


def test_every_member_belongs_to_a_release_that_is_fetched() -> None:
    from collect import read_sources
    from debian import RELEASES

    sources = list(read_sources(None))
    assert {source.suite for source in sources} <= set(RELEASES)
    assert [source.picture for source in read_sources("animals/cat-face")] == ["animals/cat-face.jpg"]
