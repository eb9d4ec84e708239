"""Files that people have in their folders, and queries that they type, each case by name."""

import os
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from snapseek.cli import main
from snapseek.library import Library
from snapseek.server import create_app
from tests.support.tiny_model import write_tiny_model

RED = (220, 20, 20)


def picture(size=(60, 40), mode="RGB", color=RED) -> Image.Image:
    return Image.new(mode, size, color)


def truncated_jpeg(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\xff\xda") + 16])  # the pixels are missing


def huge_png(path: Path) -> None:
    """30,000 x 30,000 black pixels, one bit each: 110 kB on disk, 2.7 GB as RGB."""
    side = 30_000
    rows = zlib.compress(bytes((side // 8 + 1) * side), 1)
    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    chunks = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def palette_with_transparency(path: Path) -> None:
    image = picture().quantize(4)
    image.save(path, transparency=1)


def animated_gif(path: Path) -> None:
    picture().save(path, save_all=True, append_images=[picture(color=(0, 0, 255))] * 3)


def exif_rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    picture((60, 40)).save(path, exif=exif)


def unreadable(path: Path) -> None:
    picture().save(path)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything: refuse in the system's place
        refused = os.fspath(path)

        def refuse(event: str, arguments: tuple[object, ...]) -> None:
            if event == "open" and arguments[0] in (refused, path):
                raise PermissionError(13, "Permission denied", refused)

        sys.addaudithook(refuse)


def sixteen_bit(path: Path) -> None:
    Image.fromarray(np.full((40, 60), 40_000, np.uint16)).save(path)


# name of the file -> how to make it, and the expected outcome: (width, height), or words of the reason
PICTURES: dict[str, tuple[Callable[[Path], None], tuple[int, int] | str]] = {
    "good.jpg": (lambda path: picture().save(path), (60, 40)),
    "truncated.jpg": (truncated_jpeg, "is truncated"),
    "text-named.jpg": (lambda path: path.write_text("Dear diary, " * 50), "got text"),
    "empty.png": (lambda path: path.write_bytes(b""), "empty"),
    "one-by-one.png": (lambda path: picture((1, 1)).save(path), (1, 1)),
    "huge.png": (huge_png, "900 megapixels"),
    "cmyk.jpg": (lambda path: picture(mode="CMYK", color=(0, 230, 230, 20)).save(path), (60, 40)),
    "sixteen-bit.png": (sixteen_bit, (60, 40)),
    "palette-transparent.png": (palette_with_transparency, (60, 40)),
    "animated.gif": (animated_gif, (60, 40)),
    "exif-rotated.jpg": (exif_rotated, (40, 60)),
    "unreadable.jpg": (unreadable, "permission"),
    os.fsdecode(b"not-utf8-\xe9\xff.jpg"): (lambda path: picture().save(path), (60, 40)),
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def bad_library(directory, encoder) -> Library:
    folder = directory / "pictures"
    folder.mkdir()
    for name, (write, _) in PICTURES.items():
        write(folder / name)
    return Library.build(folder, directory / "library", encoder=encoder)


@pytest.mark.parametrize("name", PICTURES, ids=lambda name: os.fsencode(name).decode("ascii", "replace"))
def test_a_folder_with_one_bad_picture(name, bad_library):
    expected = PICTURES[name][1]
    hits = {library_name(bad_library, hit.id): hit for hit in bad_library.search("red", limit=100)}
    reasons = {failure.path.name: failure.reason for failure in bad_library.failures()}
    if isinstance(expected, str):
        assert name not in hits
        assert expected in reasons[name].lower()
    else:
        assert name not in reasons
        assert (hits[name].width, hits[name].height) == expected
        assert 0 < len(hits[name].preview) <= 500


def library_name(library: Library, item: int) -> str:
    return library.original_path(item).name


def test_the_report_names_each_bad_picture(bad_library, capsys):
    assert main(["info", str(bad_library.info().path), "--failed"]) == 0
    lines = capsys.readouterr().out.splitlines()
    bad = {name for name, (_, expected) in PICTURES.items() if isinstance(expected, str)}
    assert {line.partition(": ")[0].rpartition("/")[2] for line in lines} == bad


def test_a_folder_with_no_pictures(tmp_path, tiny_model, capsys):
    assert main(["index", str(tmp_path), "--model", str(tiny_model)]) == 1
    assert "got none" in one_sentence(capsys)
    assert list(tmp_path.iterdir()) == []


QUERIES = {"empty": "", "blank": "  ", "ten-thousand-characters": "x" * 10_000, "emoji": "🐶"}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_bad_query_is_refused(query, library, capsys):
    assert main(["search", query, "--library", str(library.info().path)]) == 1
    one_sentence(capsys)
    client = TestClient(create_app(library), base_url="http://127.0.0.1")
    answer = client.get("/api/search", params={"q": query})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize("command", [["search", "red", "--library"], ["serve"], ["info"]], ids=lambda c: c[0])
def test_a_missing_library(command, tmp_path, capsys):
    assert main([*command, str(tmp_path / "nowhere")]) == 1
    assert "snapseek index" in one_sentence(capsys)


def test_a_library_made_by_another_model(tmp_path, capsys, encoder):
    (tmp_path / "p").mkdir()
    picture().save(tmp_path / "p" / "red.png")
    model = write_tiny_model(tmp_path / "model")
    directory = ["--library", str(tmp_path / "l")]
    assert main(["index", str(tmp_path / "p"), "--model", str(model), *directory]) == 0
    capsys.readouterr()
    config = model / "preprocessor_config.json"
    config.write_text(config.read_text().replace("0.5", "0.4"))
    assert main(["search", "red", *directory]) == 1
    assert "use that model" in one_sentence(capsys)


def one_sentence(capsys) -> str:
    """Return the error line on stderr with its hint, if any; stdout has to be empty."""
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if not line.startswith("model ")]
    assert captured.out == ""
    assert [line.lstrip().startswith("hint: ") for line in lines] in ([False], [False, True]), captured.err
    assert "Traceback" not in captured.err
    return " ".join(lines)
