"""One odd file stops no index: times, names and values that a database or Python cannot hold."""

import json
import os

import pytest

from snapseek.library import Library
from snapseek.library.indexing import embed
from snapseek.sources import Picture


@pytest.mark.parametrize("seconds", [-(2**33), -(2**31), 2**33, 2**34, 253_402_300_800, 9_223_372_036])
def test_a_file_of_any_time(folder, tmp_path, encoder, seconds):
    try:
        os.utime(folder / "red.jpg", (seconds, seconds))
    except OSError:
        pytest.skip("this file system has no such time")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert (len(library), library.report.failed) == (6, 0)
    assert len(library.browse(6)) == 6
    assert library.sync().unchanged == 6
    (folder / "red.jpg").rename(folder / "moved.jpg")
    assert library.sync().moved == 1


@pytest.mark.parametrize("time_ns", [2**63, -(2**63) - 1, 2**63 - 1, 10**20, -(10**20)])
def test_a_time_beyond_64_bits_is_unknown(tmp_path, time_ns):
    assert Picture(tmp_path, "a.jpg", modified_ns=time_ns).modified_ns == 0


@pytest.mark.parametrize(
    "name", ["a\n\tb.jpg", "x" * 251 + ".jpg", os.fsdecode(b"\xff\xfe.jpg"), "'\";--.jpg", "%00.jpg"]
)
def test_a_file_of_any_name(folder, tmp_path, encoder, name):
    try:
        (folder / "red.jpg").rename(folder / name)
    except OSError:
        pytest.skip("this file system has no such name")
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert (len(library), library.report.failed) == (6, 0)
    assert library.sync().unchanged == 6


@pytest.mark.parametrize(
    "values",
    [
        {"taken": "0001-01-01T00:00:00+14:00"},
        {"taken": "9999-12-31T23:59:59-14:00", "photoTakenTime": {"timestamp": "1e30"}},
        {"caption": "\ud800 x" * 1000, "title": "\0", "tags": ["\udfff", 5, None, [1]]},
        {"latitude": 1e308, "longitude": "nan", "photoTakenTime": {"timestamp": -(10**18)}},
    ],
)
def test_a_sidecar_of_any_values(folder, tmp_path, encoder, values):
    (folder / "red.json").write_text(json.dumps(values))
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert (len(library), library.report.failed) == (6, 0)
    assert library.verify() == []


@pytest.mark.parametrize(
    "error", [RuntimeError("odd"), ValueError("year 0"), OverflowError(), SystemError("x")]
)
def test_whatever_a_parser_raises_is_the_reason_of_one_file(folder, tmp_path, encoder, monkeypatch, error):
    plain = embed.read_sidecars

    def fail(path, *sidecars):
        if path.name == "red.jpg":
            raise error
        return plain(path, *sidecars)

    monkeypatch.setattr(embed, "read_sidecars", fail)
    library = Library.build(folder, tmp_path / "l", encoder=encoder)
    assert (len(library), library.report.failed) == (5, 1)
    assert library.failures()[0].path.name == "red.jpg"
    assert library.verify() == []
    found = {hit.meta["name"] for hit in library.search("white", 5)}
    assert "red.jpg" not in found
