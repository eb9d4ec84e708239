"""benches/made_records.py: the rows of the large library are the same in every run, and worth searching."""

from collections import Counter

from PIL import Image

from benches import made_records
from benches.made_records import SCHEMA, THINGS, WORDS, parts, records

POOL = ([b"a", b"bb"], ["#000000", "#ffffff"])


def test_rows_are_the_same_in_every_run_and_differ():
    table = records(50_000, 50_500, *POOL)
    assert table.equals(records(50_000, 50_500, *POOL))
    assert table.schema == SCHEMA
    assert len(set(table.column("url").to_pylist())) == 500
    assert len(set(table.column("caption").to_pylist())) > 480
    assert not table.equals(records(0, 500, *POOL))


def test_captions_are_of_known_words_some_of_them_common():
    captions = records(0, 2000, *POOL).column("caption").to_pylist()
    counted = Counter(word for caption in captions for word in caption.split())
    assert set(counted) <= set(WORDS)
    assert len(counted) > 250
    assert counted["dog"] > 5 * counted[THINGS[-1]]


def test_dates_folders_and_tags_agree():
    rows = records(0, 300, *POOL).to_pylist()
    assert len({row["date"].year for row in rows}) == 10
    for row in rows:
        assert abs(int(row["folder"][:4]) - row["date"].year) <= 1  # years of 365 days
        assert all(tag in row["caption"].split() for tag in row["tags"])
        assert row["color"] == dict(zip(*POOL, strict=True))[row["preview"]]
    assert {len(row["tags"]) for row in rows} == {0, 1, 2}


def test_parts_of_a_picture_differ_and_lie_in_it():
    found = parts(Image.radial_gradient("L").resize((90, 60)), 5)
    assert len(found) == 5
    assert all(part.width <= 90 and part.height <= 60 for part in found)
    assert len({part.tobytes() for part in found}) == 5
    assert made_records.PICTURES.is_dir()
