"""snapseek.sources.fields.embedding_columns."""

import pyarrow as pa
import pytest

from snapseek.errors import InputError
from snapseek.sources.fields.embedding_columns import TableColumns
from tests.support.embedding_files import WEBP


def records(**columns):
    batch = pa.RecordBatch.from_pydict(columns)
    return TableColumns.of(batch.schema).records(batch).to_pydict()


def test_usual_names_are_found_in_any_case():
    found = records(URL=["https://a.example/1"], TEXT=["red"], original_width=[9], width=[3], HEIGHT=[4])
    assert (found["uri"], found["caption"]) == (["https://a.example/1"], ["red"])
    assert (found["width"], found["height"], found["width_"]) == ([9], [4], [3])


def test_missing_values_have_defaults():
    assert records(key=["a"]) == {
        "uri": [""],
        "width": [0],
        "height": [0],
        "color": ["#808080"],
        "preview": [b""],
        "caption": [None],
        "key": ["a"],
    }


def test_invalid_values_are_replaced():
    found = records(
        width=[-1.0, float("nan"), None, 1e12, 7.9],
        color=["#ABCDEF", "red", None, "#12345", "#123456;x"],
        preview=[WEBP, b"GIF89a", None, WEBP + b"x" * 500, b""],
    )
    assert found["width"] == [0, 0, 0, 0, 7]
    assert found["color"] == ["#abcdef", *["#808080"] * 4]
    assert found["preview"] == [WEBP, b"", b"", b"", b""]


def test_a_column_of_another_type_becomes_custom():
    found = records(url=[1], caption=[[1.5]])
    assert (found["uri"], found["url"], found["caption"], found["caption_"]) == ([""], [1], [None], [[1.5]])


def test_a_name_used_twice_is_refused():
    with pytest.raises(InputError, match="'a' twice"):
        TableColumns.of(pa.schema([("a", pa.int8()), ("a", pa.int8())]))


def test_pictures_of_a_folder_are_at_their_paths():
    assert records(image_path=["/data/a.jpg"])["uri"] == ["/data/a.jpg"]
    both = records(image_path=["00001"], url=["https://a.example/1"])
    assert (both["uri"], both["image_path"]) == (["https://a.example/1"], ["00001"])


def test_a_table_without_addresses_has_a_note():
    assert TableColumns.of(pa.schema([("url", pa.string())])).missing_uri_note is None
    note = TableColumns.of(pa.schema([("key", pa.string())])).missing_uri_note
    assert note == (
        "expected a column of addresses, such as url, uri, image_url, img_url, image_path, "
        "got key (string): search works, but the pictures cannot be shown"
    )
