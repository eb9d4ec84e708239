from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any

import pytest

from snapseek import Hit, Hits

HIT = Hit(7, 0.5, "file:///a.jpg", 200, 100, "#102030", b"webp", None, {"name": "a & b.jpg"})


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
