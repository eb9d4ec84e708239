from types import SimpleNamespace

import pyarrow as pa

from snapseek.library.search import suggestions
from tests.support.filtered_library import ROWS, filtered_library


def test_suggestions_of_an_imported_library(tmp_path, encoder):
    library, _records = filtered_library(tmp_path, encoder)
    found = library.suggestions()
    columns = {entry.operator: entry for entry in found.columns}
    assert found.examples[:2] == ["red", "old"]
    assert {"gate", "dogs", "barn"} <= set(found.examples)
    assert set(columns) == {"year", "date", "in", "tag", "licence", "public", "rating"}
    assert columns["in"].name == "folder"
    assert dict(columns["licence"].values) == {"CC0": 500, "CC BY": 500, "reserved": 500}
    assert columns["year"].values[0][0] > columns["year"].values[-1][0]
    for entry in found.columns:
        assert entry.values
        for value, count in entry.values:
            assert library.search(f'{entry.operator}:"{value}"').total == count, (entry.operator, value)
    assert library.suggestions().columns is found.columns


def test_removed_pictures_are_not_counted(tmp_path, encoder):
    library, _ = filtered_library(tmp_path, encoder)
    library.remove([1, 4, 7])
    library.refresh()
    columns = {entry.operator: dict(entry.values) for entry in library.suggestions().columns}
    assert columns["licence"] == {"CC0": 497, "CC BY": 500, "reserved": 500}
    assert columns["public"]["yes"] + columns["public"]["no"] == ROWS - 3
    assert columns["tag"]["beach"] == library.search("tag:beach").total


def test_pictures_without_captions_have_the_examples_of_the_model(library):
    found = library.suggestions()
    assert found.examples == list(library.encoder.examples)
    columns = {entry.operator: dict(entry.values) for entry in found.columns}
    assert set(columns["type"]) == {"jpeg", "png", "webp", "gif", "bmp", "tiff"}
    assert columns["in"] == {"deep": 1, "deep/er": 1}


def test_of_a_long_caption_only_the_beginning_is_read():
    captions = pa.array([f"red gate barn {'x' * 2000} \ufdfa hidden"] * 3)
    shard = SimpleNamespace(
        columns=SimpleNamespace(kinds={"caption": "text"}),
        records=SimpleNamespace(texts=lambda _name, rows: captions.take(pa.array(rows))),
    )
    shard_type = type("FakeShard", (SimpleNamespace,), {"__len__": lambda _self: len(captions)})
    part = SimpleNamespace(shard=shard_type(**vars(shard)))
    words = suggestions._caption_words([part])
    assert sorted(words)[:2] == ["barn", "gate"]
    assert "hidden" not in words
