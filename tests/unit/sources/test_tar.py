import os
import tarfile

import pytest

from snapseek.errors import InputError
from snapseek.sources import open_source
from snapseek.sources.tar import TarImages
from tests.support.picture_sources import add, picture, write_webdataset


def read(path):
    source = TarImages(path)
    return list(source.read(source.find()))


def test_a_webdataset(tmp_path):
    write_webdataset(tmp_path / "00000.tar")
    found = read(tmp_path / "00000.tar")
    assert [one.within for one in found] == [f"{number:09}.jpg" for number in range(4)]
    first = found[0]
    assert first.data == picture("red")
    assert first.size_bytes == len(first.data)
    assert first.modified_ns == 1_600_000_000 * 10**9
    assert (first.name, first.parent) == ("000000000.jpg", "")
    assert (first.metadata.caption, first.metadata.title) == ("a red card", "RED")
    assert first.columns == {"url": "https://x.example/000000000.jpg"}
    assert first.uri == f"tar://{tmp_path}/00000.tar%21000000000.jpg".replace("%21", "!")


def test_a_folder_of_archives(tmp_path):
    write_webdataset(tmp_path / "00001.tar", ("blue",), first=10_000)
    write_webdataset(tmp_path / "00000.tar", ("red",))
    (tmp_path / "00000_stats.json").write_text("{}")
    found = read(tmp_path)
    assert [one.within for one in found] == ["00000.tar/000000000.jpg", "00001.tar/000010000.jpg"]
    assert [one.metadata.caption for one in found] == ["a red card", "a blue card"]
    assert found[0].parent == "00000.tar"


def test_only_some_are_read(tmp_path):
    write_webdataset(tmp_path / "a.tar")
    source = TarImages(tmp_path / "a.tar")
    subset = [one for one in source.find() if one.name[8] in "13"]
    assert [one.data for one in source.read(subset)] == [picture("green"), picture("white")]


def test_names_of_any_kind(tmp_path):
    names = [
        "../../etc/passwd.jpg",
        "/abs/a.jpg",
        "a\nb.jpg",
        "x" * 300 + ".jpg",
        "ü.JPG",
        "same.jpg",
        "same.jpg",
        "a.b.jpg",
    ]
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            add(archive, name, picture())
        link = tarfile.TarInfo("soft.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        device = tarfile.TarInfo("device.jpg")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    found = read(tmp_path / "a.tar")
    assert [one.within for one in found] == [*names[:6], "same.jpg (2)", "a.b.jpg"]
    assert all(one.data == picture() and one.problem is None for one in found)
    assert not (tmp_path.parent / "etc").exists()


def test_a_changed_archive_is_reported(tmp_path):
    write_webdataset(tmp_path / "a.tar")
    source = TarImages(tmp_path / "a.tar")
    before = list(source.find())
    write_webdataset(tmp_path / "a.tar", ("red", "green"))
    found = list(source.read(before))
    assert [one.problem is None for one in found] == [True, True, False, False]
    assert "changed while it was read" in found[3].problem


@pytest.mark.parametrize("keep", [0, 100, 511, 700, 1200, 2048])
def test_a_cut_archive(tmp_path, keep):
    """Complete members are read; the truncation is one problem of the archive."""
    write_webdataset(tmp_path / "whole.tar")
    data = (tmp_path / "whole.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[:keep])
    found = read(tmp_path / "a.tar")
    assert found
    for one in found:
        assert one.problem or one.data
    problems = [one for one in found if one.problem]
    assert len(problems) >= 1
    assert all(one.problem.startswith("the archive") for one in problems)


def test_damage_is_reported_and_earlier_members_are_kept(tmp_path):
    write_webdataset(tmp_path / "a.tar")
    data = bytearray((tmp_path / "a.tar").read_bytes())
    start = data.index(b"000000002.jpg")
    data[start : start + 512] = os.urandom(512)
    (tmp_path / "a.tar").write_bytes(data)
    found = read(tmp_path / "a.tar")
    assert [one.within for one in found] == ["000000000.jpg", "000000001.jpg", "."]
    assert "damaged" in found[-1].problem


@pytest.mark.parametrize("size", ["77777777777", "00000200000"])
def test_an_impossible_member_size_is_reported(tmp_path, size):
    write_webdataset(tmp_path / "a.tar", ("red",))
    data = bytearray((tmp_path / "a.tar").read_bytes())
    data[124:135] = size.encode()
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    (tmp_path / "a.tar").write_bytes(data)
    found = read(tmp_path / "a.tar")
    assert "which is not possible" in found[0].problem


def test_no_archive(tmp_path):
    for path in (tmp_path, tmp_path / "gone.tar"):
        with pytest.raises(InputError, match="expected a tar archive"):
            list(TarImages(path).find())
    (tmp_path / "a.tar").write_bytes(b"not an archive" * 100)
    (problem,) = read(tmp_path / "a.tar")
    assert problem.within == "."


@pytest.mark.parametrize("order", ["pictures first", "texts first", "reversed"])
def test_captions_do_not_depend_on_the_order_of_members(tmp_path, order):
    members = {f"{color}.jpg": picture(color) for color in ("red", "blue")}
    members |= {f"{color}.txt": f"a {color} card".encode() for color in ("red", "blue")}
    names = sorted(members, key=lambda name: name.endswith(".txt") == (order == "pictures first"))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in reversed(names) if order == "reversed" else names:
            add(archive, name, members[name])
    assert {one.within: one.metadata.caption for one in read(tmp_path / "a.tar")} == {
        "red.jpg": "a red card",
        "blue.jpg": "a blue card",
    }


def test_archives_in_folders_below_are_found(tmp_path):
    for name in ("a/0.tar", "b/c/0.tar", "0.tar", ".hidden/0.tar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_webdataset(tmp_path / name, ("red",))
    source = open_source(tmp_path)
    assert source.kind == "tar"
    assert [one.within for one in source.find()] == [
        "0.tar/000000000.jpg",
        "a/0.tar/000000000.jpg",
        "b/c/0.tar/000000000.jpg",
    ]
