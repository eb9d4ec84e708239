"""Time the search by words over made-up records, next to SQLite FTS5 and tantivy.

    python -m benches.word_figures [ROWS] [--rivals] [--only natural]

Two sets: the captions of the million library, whose 300 words are all frequent, and captions over 60,000
words with the frequencies of a language (`NaturalCaptions`), whose queries are words that occur together.
Every engine returns the 1,000 best. Times are processor time of one thread, so that other work on the machine
counts little; wall time follows in brackets.
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benches.demo_figures import processor
from benches.made_records import THINGS, NaturalCaptions, records
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.records.arrow_file import Records, RecordWriter
from snapseek.library.search.best_words import AutoWords, best_by_bm25
from snapseek.library.search.bm25 import bm25_scores
from snapseek.library.search.word_matches import best_matches, word_matches
from snapseek.library.storage.rows import NO_HITS

_ROWS = 1_500_000
_BLOCK = 50_000
_DEPTH = 1_000
_QUERIES = 100
_FIELDS = ("caption", "tags", "name", "folder")
Search = Callable[[str], object]


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the search by words.")
    parser.add_argument("rows", type=int, nargs="?", default=_ROWS)
    parser.add_argument("--rivals", action="store_true", help="also index by SQLite FTS5 and tantivy")
    parser.add_argument("--only", choices=("frequent", "natural"), help="one set of records")
    given = parser.parse_args()
    print(f"{processor()}, {given.rows:,} rows, the {_DEPTH:,} best")
    natural = NaturalCaptions()
    pairs = [f"{first} {second}" for first, second in zip(THINGS[:70], THINGS[70:140], strict=False)]
    sets: dict[str, tuple[Callable[[int, int], pa.RecordBatch], dict[str, list[str]]]] = {
        "frequent words": (_made, {"two words": pairs}),
        "natural words": (
            natural.block,
            {f"{count} words": natural.queries(_QUERIES, count) for count in (1, 2, 4)},
        ),
    }
    for title, (block, queries) in sets.items():
        if given.only and not title.startswith(given.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = written(Path(folder) / "records.arrow", block, given.rows)
            print(title)
            for name, search in engines(path, Path(folder), rivals=given.rivals):
                for kind, texts in queries.items():
                    print_times(f"  {name}, {kind}", search, texts)


def engines(path: Path, folder: Path, *, rivals: bool) -> Iterator[tuple[str, Search]]:
    """Yield each engine by its name."""
    store = ColumnStore(Records(path))
    ids = np.arange(store.rows)
    every = [None]
    yield "auto, bitmaps", lambda text: AutoWords([store], every, text).best(_DEPTH, NO_HITS)
    yield "auto, every row", lambda text: best_matches(word_matches([store], every, text), (), (), _DEPTH)
    yield "BM25, bitmaps", lambda text: best_by_bm25([store], [ids], every, text, _DEPTH)
    yield "BM25, every row", lambda text: bm25_scores([store], every, text)
    if rivals:
        yield "BM25, SQLite FTS5", fts5(texts_of(path), folder / "fts5.db")
        yield "BM25, tantivy", tantivy_index(texts_of(path), folder)


def print_times(name: str, search: Search, queries: Sequence[str]) -> None:
    search(queries[0])  # builds the indexes
    processor_ms, wall_ms = [], []
    for query in queries:
        started, thread = time.perf_counter(), time.thread_time()
        search(query)
        processor_ms.append(1000 * (time.thread_time() - thread))
        wall_ms.append(1000 * (time.perf_counter() - started))
    p95 = np.percentile(processor_ms, 95)
    wall = f"({statistics.median(wall_ms):.1f}, {np.percentile(wall_ms, 95):.1f})"
    print(
        f"{name}: p50 {statistics.median(processor_ms):.2f} ms, p95 {p95:.2f} ms {wall}, n = {len(queries)}"
    )


def texts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the searched texts of each row."""
    number = 0
    for batch in pa.ipc.open_file(pa.memory_map(str(path))).read_all().to_batches():
        fields = [batch.column(name).to_pylist() for name in _FIELDS if name in batch.schema.names]
        for values in zip(*fields, strict=True):
            yield number, " ".join(" ".join(value) if isinstance(value, list) else value for value in values)
            number += 1


def fts5(texts: Iterator[tuple[int, str]], path: Path) -> Search:
    """Index by SQLite FTS5."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA cache_size = -1000000")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=1)")
    with connection:
        connection.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", texts)
    connection.execute("INSERT INTO words(words) VALUES ('optimize')")
    ranked = f"SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT {_DEPTH}"
    return lambda text: connection.execute(ranked, (" OR ".join(text.split()),)).fetchall()


def tantivy_index(texts: Iterator[tuple[int, str]], folder: Path) -> Search:
    """Index by tantivy, whose search runs in one thread: `pip install tantivy`."""
    import tantivy  # type: ignore[import-not-found, unused-ignore]

    (folder / "tantivy").mkdir()
    schema: Any = tantivy.SchemaBuilder().add_text_field("text").add_integer_field("id", stored=True).build()
    index = tantivy.Index(schema, str(folder / "tantivy"))
    writer = index.writer(400_000_000, 1)
    for number, text in texts:
        writer.add_document(tantivy.Document(text=text, id=number))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    return lambda text: searcher.search(index.parse_query(text, ["text"]), _DEPTH, count=False)


def _made(start: int, end: int) -> pa.RecordBatch:
    table = records(start, end, [b""], ["#808080"])
    ids = pa.array(range(start, end), pa.int64())
    named: Any = table.add_column(0, "id", ids).rename_columns({"url": "uri"})
    return named.combine_chunks().to_batches()[0]


def written(path: Path, block: Callable[[int, int], pa.RecordBatch], rows: int) -> Path:
    """Write the records of all rows."""
    first = block(0, min(rows, _BLOCK))
    writer = RecordWriter(path, first.schema)
    writer.extend(first)
    for start in range(_BLOCK, rows, _BLOCK):
        writer.extend(block(start, min(rows, start + _BLOCK)))
    writer.finish()
    return path


if __name__ == "__main__":
    main()
