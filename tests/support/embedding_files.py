"""Embeddings with metadata tables as clip-retrieval writes them, for the tests of imports."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WEBP = b"RIFF\x0c\x00\x00\x00WEBPVP8 "


def write_embeddings(folder: Path, /, *parts: np.ndarray, **columns: pa.Array) -> Path:
    """One pair of files for each array (n, dim); `columns` replace those of the first table."""
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, vectors in enumerate(parts):
        np.save(folder / "img_emb" / f"img_emb_{number}.npy", vectors)
        table = table_of(len(vectors), number) | (columns if number == 0 else {})
        pq.write_table(pa.table(table), folder / "metadata" / f"metadata_{number}.parquet")
    return folder


def table_of(rows: int, number: int) -> dict[str, pa.Array]:
    names = [f"{number}-{row}" for row in range(rows)]
    return {
        "URL": pa.array([f"https://pictures.example/{name}.jpg" for name in names]),
        "TEXT": pa.array([f"caption {name}" for name in names]),
        "width": pa.array([640] * rows, pa.int64()),
        "height": pa.array([480.0] * rows),
        "key": pa.array(names),
        "taken": pa.array([date(2020, 1, 2)] * rows),
        "id": pa.array(range(rows)),
        "preview": pa.array([WEBP] * rows, pa.binary()),
    }
