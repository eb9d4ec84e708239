import pyarrow as pa
import pytest

from snapseek.library.records.arrow_file import SCHEMA
from snapseek.library.records.record_schema import LATER_COLUMNS, record_schema

NONE = pa.schema([])


def test_the_columns_of_all_pictures_come_first():
    assert record_schema([], NONE) == SCHEMA
    assert record_schema([SCHEMA], pa.schema([("note", pa.string())])).names == [*SCHEMA.names, "note"]


@pytest.mark.parametrize("name", sorted(LATER_COLUMNS))
@pytest.mark.parametrize("kind", [pa.string(), pa.float64(), pa.int64(), pa.list_(pa.string())], ids=str)
def test_a_column_of_the_user_has_precedence(name, kind):
    own = pa.schema([(name, kind)])
    made = record_schema([], own)
    assert made.field(name).type == kind
    assert made.names.count(name) == 1
    known = record_schema([own], NONE)
    pa.unify_schemas([known, own], promote_options="permissive")


def test_a_column_may_change_its_type():
    known, own = pa.schema([("note", pa.string())]), pa.schema([("note", pa.int64())])
    assert record_schema([known], own).field("note").type == pa.int64()
