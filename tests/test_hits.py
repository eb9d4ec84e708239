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
