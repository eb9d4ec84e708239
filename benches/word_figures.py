"""Time the words of mode `auto` and BM25 over made-up records: `python -m benches.word_figures [ROWS]`."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from benches.demo_figures import processor
from benches.made_records import THINGS, records
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.records.arrow_file import Records, RecordWriter
from snapseek.library.search.bm25 import bm25_scores
from snapseek.library.search.word_matches import word_matches

_ROWS = 1_500_000
_BLOCK = 50_000
_QUERIES = tuple(f"{first} {second}" for first, second in zip(THINGS[:60], THINGS[60:120], strict=True))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    print(f"{processor()}, {rows:,} rows")
    with tempfile.TemporaryDirectory() as folder:
        store = ColumnStore(Records(_written(Path(folder) / "records.arrow", rows)))
        for name, find in (("word_matches", word_matches), ("bm25_scores", bm25_scores)):
            find([store], [None], "a dog")  # builds the indexes
            times_ms = []
            for query in _QUERIES:
                started = time.perf_counter()
                find([store], [None], query)
                times_ms.append(1000 * (time.perf_counter() - started))
            times_ms.sort()
            p95 = times_ms[int(0.95 * len(times_ms))]
            print(f"{name}: p50 {statistics.median(times_ms):.1f} ms, p95 {p95:.1f} ms, n = {len(times_ms)}")


def _written(path: Path, rows: int) -> Path:
    writer = None
    for start in range(0, rows, _BLOCK):
        table = records(start, min(rows, start + _BLOCK), [b""], ["#808080"])
        ids = pa.array(range(start, start + len(table)), pa.int64())
        table = table.add_column(0, "id", ids).rename_columns({"url": "uri"})
        batch = table.combine_chunks().to_batches()[0]
        writer = writer or RecordWriter(path, batch.schema)
        writer.extend(batch)
    assert writer is not None
    writer.finish()
    return path


if __name__ == "__main__":
    main()
