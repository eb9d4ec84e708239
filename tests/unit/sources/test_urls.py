import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from snapseek.cli import main
from snapseek.errors import InputError
from snapseek.library import Library
from snapseek.sources import FetchLimits
from snapseek.sources import urls as module
from snapseek.sources.urls import UrlList
from tests.support.loopback import Loopback, answer, endless, silent
from tests.support.picture_sources import COLORS, picture

HERE = FetchLimits(allow_private=True, pause_s=0.01, max_bytes=1 << 20)


@pytest.fixture
def web():
    routes = {f"{color}.jpg": answer(body=picture(color), Content_Type="image/jpeg") for color in COLORS}
    with Loopback(routes) as server:
        yield server


def listed(tmp_path, rows, name="list.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def echo(pictures, limits):
    return iter(pictures)


def test_each_url_once_with_metadata_of_its_row(tmp_path):
    rows = [
        {
            "URL": "https://a.example/x/cat%20one.jpg?w=1",
            "Caption": "a cat",
            "stars": 4,
            "date": "2020-05-01",
        },
        {"URL": "https://a.example/x/cat%20one.jpg?w=1", "Caption": "again", "stars": 5},
        {"URL": "https://b.example", "tags": "a, b", "stars": None},
    ]
    source = UrlList(listed(tmp_path, rows), fetch=echo)
    found = {one.within: one for one in source.find()}
    first, second = source.read(list(found.values()))
    assert (first.name, first.parent) == ("cat one.jpg", "a.example/x")
    assert (second.name, second.parent) == ("b.example", "")
    assert first.uri == rows[0]["URL"]
    assert first.metadata.taken.year == 2020
    assert second.metadata.tags == ("a", "b")
    assert second.columns == {}
    assert source.columns().field("stars").type == pa.int64()
    assert first.columns["stars"] in (4, 5)


def test_a_table_keeps_its_types(tmp_path):
    table = pa.table(
        {"caption": ["a"], "img": ["http://a.example/1"], "score": pa.array([0.5], pa.float16())}
    )
    pq.write_table(table, tmp_path / "l.parquet")
    source = UrlList(tmp_path / "l.parquet", fetch=echo)
    (found,) = source.read(list(source.find()))
    assert source.columns() == pa.schema([("score", pa.float16())])
    assert (found.metadata.caption, found.columns) == ("a", {"score": 0.5})


def test_rows_without_a_valid_url_are_reported(tmp_path):
    rows = [
        {"url": "http://a.example/1"},
        {"url": None},
        {"url": "file:///etc/passwd"},
        {"url": "http://127.0.0.1/"},
        {"n": 1},
    ]
    problems = {one.within: one.problem for one in UrlList(listed(tmp_path, rows)).find()}
    assert problems["http://a.example/1"] is None
    assert problems["row 2"] == "row 2 has no URL"
    assert "path of a picture" in problems["file:///etc/passwd"]
    assert "of this machine" in problems["http://127.0.0.1/"]


def test_a_list_without_urls(tmp_path):
    (tmp_path / "l.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"expected a column with URLs.*got a, b"):
        list(UrlList(tmp_path / "l.csv").find())


def test_without_aiohttp(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "snapseek.sources.http.prefetch", raising=False)
    monkeypatch.delitem(sys.modules, "snapseek.sources.http.fetch", raising=False)
    source = UrlList(listed(tmp_path, [{"url": "http://a.example"}]))
    with pytest.raises(InputError, match=r"snapseek\[fetch\]"):
        list(source.read(source.find()))


def test_a_list_becomes_a_library_and_goes_on_where_it_was(tmp_path, encoder, web):
    web.routes["busy.jpg"] = answer(503)
    web.routes["page.jpg"] = answer(body=b"<html>", Content_Type="text/plain")
    names = [*(f"{color}.jpg" for color in COLORS), "gone.jpg", "busy.jpg", "page.jpg"]
    rows = [
        {"url": web.url(name), "caption": f"about {name}", "stars": number}
        for number, name in enumerate(names)
    ]
    path = listed(tmp_path, rows)
    library = Library.build(path, tmp_path / "l", encoder=encoder, limits=HERE)
    assert len(library) == 4
    assert library.report.failed == 3
    reasons = {str(failure.path).rpartition("/")[2]: failure.reason for failure in library.failures()}
    assert reasons["gone.jpg"] == "the server answers 404 (Not Found)"
    assert reasons["busy.jpg"] == "the server answers 503 (Service Unavailable)"
    assert "got text" in reasons["page.jpg"]
    hit = next(iter(library.search("red", limit=1)))
    assert (hit.uri, hit.caption, hit.meta["stars"]) == (web.url("red.jpg"), "about red.jpg", 0)
    assert hit.meta["name"] == "red.jpg"
    assert hit.meta["modified"] is None
    assert hit.meta["size_bytes"] == len(picture("red"))
    assert library.info().has_remote

    web.routes["busy.jpg"] = answer(body=picture("white"))
    web.request_counts.clear()
    assert library.sync(limits=HERE).unchanged == 7
    assert not web.request_counts
    report = library.sync(path, limits=HERE, retry_failed=True)
    assert (report.added, report.failed, report.unchanged) == (1, 2, 4)
    assert set(web.request_counts) == {"gone.jpg", "busy.jpg", "page.jpg"}

    listed(tmp_path, rows[1:])
    report = library.sync(limits=HERE)
    assert (report.removed, report.added) == (1, 0)
    assert len(library) == 4


def test_a_missing_list_keeps_its_pictures(tmp_path, encoder, web):
    path = listed(tmp_path, [{"url": web.url("red.jpg")}])
    library = Library.build(path, tmp_path / "l", encoder=encoder, limits=HERE)
    path.unlink()
    report = library.sync()
    assert report.missing == (path,)
    assert len(library) == 1


def test_bad_servers_do_not_delay_others(tmp_path, encoder, web):
    web.routes |= {"silent.jpg": silent, "huge.jpg": endless()}
    names = ["silent.jpg", "huge.jpg", *(f"{color}.jpg" for color in COLORS)] + [f"{n}" for n in range(50)]
    library = Library.build(
        listed(tmp_path, [{"url": web.url(name)} for name in names]),
        tmp_path / "l",
        encoder=encoder,
        limits=replace(HERE, timeout_s=0.5),
    )
    assert (library.report.added, library.report.failed) == (4, 52)


def test_a_column_of_another_type_than_in_the_library_is_text_in_all(tmp_path, encoder, web):
    library = Library.build(
        listed(tmp_path, [{"url": web.url("red.jpg"), "n": 1}]), tmp_path / "l", encoder=encoder, limits=HERE
    )
    other = listed(tmp_path, [{"url": web.url("blue.jpg"), "n": "x"}], "other.jsonl")
    library.add(other, limits=HERE)
    assert [hit.meta["n"] for hit in library.browse()] == ["1", "x"]
    library.export(tmp_path / "all.jsonl")
    found = [json.loads(line)["n"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert found == ["1", "x"]
    assert module.KIND == "urls"


def test_the_command(tmp_path, tiny_model, web, capsys):
    path = listed(tmp_path, [{"url": web.url("red.jpg")}, {"url": web.url("late.jpg")}])
    words = ["index", str(path), "--model", str(tiny_model)]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "0 pictures" in said
    assert "nothing was indexed: 2 could not be read; for 2 of them the reason is: 127.0.0.1 is an" in said
    assert main([*words, "--allow-private", "--retry-failed"]) == 0
    assert "1 pictures" in capsys.readouterr().err
    web.routes["late.jpg"] = answer(body=picture("blue"))
    assert main([*words, "--allow-private", "--retry-failed"]) == 0
    assert "2 pictures" in capsys.readouterr().err
    assert main(["info", str(path), "--failed"]) == 0
    assert capsys.readouterr().out == ""
