"""An imported library with dates, nested folders and coordinates, for the tests of browsing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from snapseek.library import Library
from tests.support.embedding_files import write_embeddings
from tests.support.vector_rows import unit_rows

ROWS = 900
FIRST = datetime(2019, 1, 5, 12, tzinfo=UTC)
SPOTS = [(48.8584, 2.2945), (50.9413, 6.9583), (40.7061, -73.9969), (30.0, -40.0), (None, None)]
"""Paris, Cologne, New York, the Atlantic, unknown."""


def dated_library(directory, encoder, rows=ROWS):
    """Return the library and its records; the id of a picture is 1 + its row."""
    columns = {
        "taken": [None if row % 9 == 8 else FIRST + timedelta(days=row * 2 % 1400) for row in range(rows)],
        "folder": [
            f"Archive/{row % 3}/Event {row % 30}" if row % 2 else "archive/Other" for row in range(rows)
        ],
        "latitude": [SPOTS[row % 5][0] for row in range(rows)],
        "longitude": [SPOTS[row % 5][1] for row in range(rows)],
        "punsafe": [None if row % 10 == 9 else row / rows for row in range(rows)],
        "stars": [row % 6 for row in range(rows)],
        "published": [(FIRST + timedelta(days=row)).date() for row in range(rows)],
        "URL": [f"http://127.0.0.1/{row}.jpg" for row in range(rows)],
        "page_url": [f"https://pictures.example/about/{row}" for row in range(rows)],
        "preview": [b""] * rows,
        "TEXT": [f"picture {row}" for row in range(rows)],
    }
    types = {
        "preview": pa.binary(),
        "taken": pa.timestamp("us", "UTC"),
        "latitude": pa.float64(),
        "longitude": pa.float64(),
    }
    arrays = {name: pa.array(values, types.get(name)) for name, values in columns.items()}
    vectors = unit_rows(rows, dim=encoder.dim).astype(np.float16)
    folder = write_embeddings(directory / "dated", vectors, **arrays)
    library = Library.import_vectors(folder, directory / "dated-library", encoder=encoder, threads=1)
    return library, [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
