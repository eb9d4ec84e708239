"""Record files made of rows, for the tests that read records."""

import pyarrow as pa

from snapseek.library.records.arrow_file import SCHEMA, Records, RecordWriter

EMPTY = {"uri": "", "width": 0, "height": 0, "color": "#808080", "preview": b""}


def write_records(path, rows, **own):
    """Records with these values and no others; `own` are the types of further columns."""
    schema = pa.schema([*SCHEMA, *(pa.field(name, kind) for name, kind in own.items())])
    path.unlink(missing_ok=True)
    writer = RecordWriter(path, schema)
    for number, row in enumerate(rows):
        writer.append(EMPTY | {"id": number} | row)
    writer.finish()
    return Records(path)
