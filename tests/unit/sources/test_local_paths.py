"""Lists with paths of this machine: absolute, relative to the list, or `file://` URLs."""

import os

import pytest

from snapseek.library import Library
from snapseek.sources.urls import UrlList
from tests.support.picture_sources import picture


@pytest.fixture
def pictures(tmp_path):
    (tmp_path / "p").mkdir()
    for name in ("a b.jpg", "ü.jpg"):
        (tmp_path / "p" / name).write_bytes(picture("red" if name[0] == "a" else "blue"))
    return tmp_path / "p"


def test_a_library_of_a_list_of_paths(tmp_path, pictures, encoder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "aiohttp", None)
    path = tmp_path / "list.csv"
    path.write_text(f"image_path,caption\n{pictures / 'a b.jpg'},a red door\np/ü.jpg,a blue door\n")
    library = Library.build(path, tmp_path / "l", encoder=encoder)
    hits = {hit.caption: hit for hit in library.browse()}
    assert set(hits) == {"a red door", "a blue door"}
    assert library.original_path(hits["a red door"].id) == pictures / "a b.jpg"
    assert hits["a blue door"].meta["name"] == "ü.jpg"
    assert library.sync().unchanged == 2
    (pictures / "ü.jpg").write_bytes(picture("green"))
    os.utime(pictures / "ü.jpg", (1, 1))
    assert library.sync().updated == 1


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_a_file_url(tmp_path, pictures, suffix):
    uri = (pictures / "a b.jpg").as_uri()
    path = tmp_path / f"l{suffix}"
    path.write_text(uri if suffix == ".txt" else f'{{"file": "{uri}"}}')
    (found,) = UrlList(path).find()
    assert (found.path, found.problem) == (pictures / "a b.jpg", None)


def test_paths_and_urls_in_one_list(tmp_path, pictures):
    path = tmp_path / "l.txt"
    path.write_text("p/ü.jpg\nhttps://a.example/1.jpg\np/a b.jpg\n")
    source = UrlList(path, fetch=lambda found, limits: iter(found))
    found = list(source.read(list(source.find())))
    assert [one.uri for one in found] == [
        (pictures / "ü.jpg").as_uri(),
        "https://a.example/1.jpg",
        (pictures / "a b.jpg").as_uri(),
    ]


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("/etc/passwd", "path of a picture"),
        ("file:///etc/passwd", "path of a picture"),
        ("p", "path of a picture"),
        ("p/none.jpg", "cannot be read: No such file"),
        ("folder.jpg", "expected a regular file"),
        ("s3://bucket/1.jpg", "http:// or https://"),
        ("a\0.jpg", "path of a picture"),
        ("a" * 300 + ".jpg", "cannot be read"),
    ],
)
def test_an_address_that_is_no_picture_is_reported(tmp_path, pictures, address, problem):
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "l.txt").write_text(f"{address}\n")
    (found,) = UrlList(tmp_path / "l.txt").find()
    assert problem in found.problem


@pytest.mark.skipif(os.sep != "/", reason="a backslash separates folders there")
def test_a_relative_path_of_windows_and_a_file_uri_without_a_host(tmp_path, pictures):
    (pictures / "a\\b.jpg").write_bytes(picture("red"))
    path = tmp_path / "l.txt"
    path.write_text(
        f"p\\ü.jpg\n{(pictures / 'a b.jpg').as_uri().replace('///', '/')}\np/a\\b.jpg\nC:\\x.jpg\n"
    )
    found = list(UrlList(path).find())
    assert [one.path for one in found[:3]] == [
        pictures / "ü.jpg",
        pictures / "a b.jpg",
        pictures / "a\\b.jpg",
    ]
    assert [one.problem is None for one in found] == [True, True, True, False]
