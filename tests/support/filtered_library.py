"""An imported library with a column of every kind, for the tests of filters and sort orders."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from snapseek.library import Library
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

ROWS = 1500
START = datetime(2015, 1, 1, tzinfo=UTC)
NOUNS = ["gate", "dogs", "barn"]


def table(rows=ROWS):
    """The columns, and the same as a list of records."""
    rng = np.random.default_rng(5)
    columns = {
        "TEXT": [f"a {['red', 'old'][row % 2]} {NOUNS[row % 3]} {row}" for row in range(rows)],
        "width": rng.integers(100, 5000, rows).tolist(),
        "height": rng.integers(100, 5000, rows).tolist(),
        "taken": [None if row % 10 == 9 else START + timedelta(days=row % 3000 * 2) for row in range(rows)],
        "licence": [["CC0", "CC BY", "reserved"][row % 3] for row in range(rows)],
        "rating": rng.integers(0, 6, rows).tolist(),
        "public": [row % 4 == 0 for row in range(rows)],
        "tags": [
            ["beach"] if row % 5 == 0 else ["draft", "Beach"] if row % 7 == 0 else [] for row in range(rows)
        ],
        "folder": [f"{2015 + row % 3}/holiday" if row % 2 else "work" for row in range(rows)],
    }
    types = {"taken": pa.timestamp("us", "UTC"), "width": pa.int64()}
    arrays = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    records = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return arrays, records


def filtered_library(directory, encoder, *, vectors=None):
    """Return the library and its records; the id of a picture is 1 + its row."""
    vectors = unit_rows(ROWS, dim=3).astype(np.float16) if vectors is None else vectors
    arrays, records = table(len(vectors))
    folder = write_embeddings(directory / "laion", vectors, **arrays)
    return Library.import_vectors(folder, directory / "l", encoder=encoder, threads=1), records
