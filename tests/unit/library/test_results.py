import sys
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from snapseek import Hit, Hits
from snapseek.errors import InputError

HIT = Hit(7, 0.5, "file:///a.jpg", 200, 100, "#102030", b"webp", None, {"name": "a & b.jpg"})


WEB = replace(HIT, id=8, uri="https://a.example/b.jpg?x=1&y=2", score=None, meta={})


def test_hits_are_a_list():
    hits = Hits([HIT, HIT], total=9)
    assert hits == [HIT, HIT]
    assert (len(hits), hits.total, hits.took.total_ms) == (2, 9, 0)


def test_a_picture_in_a_notebook_keeps_its_shape():
    page = HIT._repr_html_()
    assert 'width="240" height="120"' in page
    assert "a &amp; b.jpg" in page
    assert "background:#102030" in page


EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1) style="'
VALUES: dict[str, Any] = {
    "id": EVIL,
    "score": EVIL,
    "uri": EVIL,
    "width": EVIL,
    "height": EVIL,
    "color": EVIL,
    "preview": EVIL.encode(),
    "caption": EVIL,
    "meta": {"name": EVIL, EVIL: EVIL},
    "similar": (EVIL,),
    "similar_scores": (0.5, None),
    "may_load": EVIL,
    "why": (EVIL,),
    "is_imported": EVIL,
}


class Tags(HTMLParser):
    """The tags of a text with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", [field.name for field in fields(Hit)])
def test_no_field_can_break_out_of_the_notebook(name: str):
    hit = replace(HIT, **{name: VALUES[name]})
    for alone in (hit, replace(hit, caption=None), replace(hit, caption=None, meta={})):
        ((tag, attributes),) = Tags(alone._repr_html_()).found
        assert (tag, set(attributes)) == ("img", {"src", "title", "alt", "width", "height", "style"})
        style = attributes["style"] or ""
        assert style.startswith("margin:2px;border-radius:4px;background:#")
        assert style.count(":") == 3


@pytest.mark.parametrize(
    "color",
    ["red;background-image:url(http://evil.example/)", "#12", "#1234567", "#12345g", "#102030\n", None],
)
def test_a_color_that_is_none_becomes_grey(color: Any):
    assert 'background:#808080"' in replace(HIT, color=color)._repr_html_()


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(0, 0, 120), (10**9, 1, 1200), (1, 10**9, 1), (-5, 5, 120), (float("nan"), 5, 120), (0, 100, 120)],
)
def test_a_senseless_size_takes_no_space(width: Any, height: int, shown: int):
    assert f'width="{shown}" height="120"' in replace(HIT, width=width, height=height)._repr_html_()


@pytest.mark.parametrize("name", [field.name for field in fields(Hit)])
def test_no_field_can_break_out_of_a_row_of_results(name: str):
    hit = replace(HIT, **{name: VALUES[name]})
    found = Tags(Hits([hit, replace(hit, caption=None, meta={})])._repr_html_()).found
    assert {tag for tag, _ in found} <= {"div", "figure", "figcaption", "img"}
    assert {key for _, attributes in found for key in attributes} <= {
        *("src", "title", "alt", "width", "height", "style")
    }
    assert sum(tag == "img" for tag, _ in found) == 2


def test_a_row_of_results_shows_names_and_scores():
    page = Hits([HIT, WEB], total=9)._repr_html_()
    assert "2 of 9 pictures" in page
    assert ">a &amp; b.jpg</div>" in page
    assert ">0.500 · id 7</div>" in page
    assert ">id 8</div>" in page


@pytest.mark.parametrize(
    ("uri", "may_load", "links"),
    [
        (WEB.uri, True, [WEB.uri]),
        (WEB.uri, False, []),
        (WEB.uri, "yes", []),
        ("javascript:alert(1)", True, []),
        ("file:///a.jpg", True, []),
        ("", True, []),
    ],
)
def test_only_confirmed_web_addresses_become_links(uri: str, may_load: Any, links: list[str]):
    page = Hits([replace(WEB, uri=uri, may_load=may_load)])._repr_html_()
    assert [attributes["href"] for tag, attributes in Tags(page).found if tag == "a"] == links


def test_no_results_say_so():
    assert repr(Hits()) == "<Hits: no pictures match>"
    assert "no pictures match" in Hits()._repr_html_()


def test_the_text_of_results_is_short_and_has_no_preview():
    heavy = replace(HIT, preview=b"\x00" * 500, caption="a\nb " + "long " * 100, meta={"name": "n" * 500})
    assert len(repr(heavy)) < 300
    assert "\n" not in repr(heavy)
    lines = repr(Hits([heavy] * 60, total=1402)).splitlines()
    assert lines[0] == "<Hits: 60 of 1,402 pictures>"
    assert lines[-1] == "  … 40 more"
    assert len(lines) == 22
    assert max(map(len, lines)) < 120


def test_the_text_of_a_hit_names_it():
    assert repr(HIT) == "<Hit 7: score=0.500 'a & b.jpg' 200 x 100>"
    assert repr(WEB) == "<Hit 8: 'https://a.example/b.jpg?x=1&y=2' 200 x 100>"


@pytest.mark.parametrize(
    ("uri", "is_imported", "path"),
    [
        ("file:///a%20b/%C3%A9.jpg", False, Path("/a b/é.jpg")),
        ("file:///a.jpg", True, None),
        ("file://elsewhere/a.jpg", False, None),
        ("https://a.example/b.jpg", False, None),
        ("tar:///a.tar!b.jpg", False, None),
        ("", False, None),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="paths have no drive")
def test_the_path_of_a_hit_is_that_of_its_file(uri: str, is_imported: bool, path: Path | None):
    assert replace(HIT, uri=uri, is_imported=is_imported).path == path


def test_a_slice_of_results_keeps_what_is_known_of_the_search():
    hits = Hits([HIT, WEB, HIT], total=9, version="v", relevant_count=1, filters=["year:2020"])
    part = hits[1:]
    assert isinstance(part, Hits)
    assert part == [WEB, HIT]
    assert {**vars(part)} == {**vars(hits)}
    assert hits[-1] is hits[2] is HIT


def test_results_become_an_arrow_table():
    tagged = replace(
        HIT, id=9, similar=(3, 4), why=("tag",), meta={"name": "c.jpg", "score": 3, "tags": ["x"]}
    )
    table = Hits([HIT, WEB, tagged]).to_arrow()
    assert table.column_names == [
        *("id", "score", "uri", "path", "width", "height", "color", "caption", "similar", "why"),
        *("name", "score_", "tags"),
    ]
    assert table["id"].to_pylist() == [7, 8, 9]
    assert table["score"].to_pylist() == [0.5, None, 0.5]
    assert table["similar"].to_pylist() == [[], [], [3, 4]]
    assert table["score_"].to_pylist() == [None, None, 3]
    assert table["tags"].to_pylist() == [None, None, ["x"]]
    assert table["path"].to_pylist()[1] is None


def test_previews_join_the_table_if_wanted():
    assert Hits([HIT]).to_arrow(previews=True)["preview"].to_pylist() == [b"webp"]
    assert "preview" not in Hits([HIT]).to_arrow().column_names


def test_metadata_of_several_types_becomes_text():
    values = [3, "four", [5, "six"], {"a": 1}, None, True, 2**70]
    table = Hits([replace(HIT, meta={"x": value}) for value in values]).to_arrow()
    assert table["x"].to_pylist() == ["3", "four", '[5, "six"]', '{"a": 1}', None, "true", str(2**70)]


def test_no_results_become_an_empty_table():
    table = Hits().to_arrow()
    assert table.num_rows == 0
    assert table.schema.field("id").type == "int64"


def test_two_metadata_columns_never_get_one_name():
    table = Hits([replace(HIT, meta={"score": 1, "score_": 2, "score__": 3})]).to_arrow()
    assert [table[name][0].as_py() for name in ("score___", "score_", "score__")] == [1, 2, 3]


def test_results_become_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = Hits([HIT, WEB]).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["id"].tolist() == [7, 8]
    assert frame["name"][0] == "a & b.jpg"


def test_without_pandas_a_data_frame_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r"expected the package pandas .* pip install pandas"):
        Hits([HIT]).to_pandas()
