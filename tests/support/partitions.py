"""Libraries split into partitions, and one library with the same pictures in the same order."""

import numpy as np
import pyarrow as pa

from snapseek.collection import Collection, create_collection
from snapseek.library import Library
from tests.support.embedding_files import write_embeddings
from tests.support.filtered_library import table
from tests.support.vector_rows import unit_rows


def write_library(directory, encoder, vectors, columns):
    """Import vectors with these columns into a library."""
    folder = write_embeddings(directory / "embeddings", vectors, **columns)
    return Library.import_vectors(folder, directory / "library", encoder=encoder, threads=1)


def split_columns(columns, rows):
    """The rows of every column."""
    return {name: pa.array(values).take(pa.array(rows, pa.int64())) for name, values in columns.items()}


def split(directory, encoder, vectors, columns, parts):
    """A collection with a partition for each list of rows, and one library with the rows in that order."""
    locations = []
    for number, rows in enumerate(parts):
        part = split_columns(columns, rows)
        write_library(directory / f"part-{number}", encoder, vectors[rows], part)
        locations.append([str(directory / f"part-{number}" / "library")])
    order = np.concatenate(parts)
    whole = write_library(directory / "whole", encoder, vectors[order], split_columns(columns, order))
    manifest = directory / "collection.json"
    create_collection(manifest, locations)
    return Collection.open(manifest, encoder=encoder), whole


def pictures(rng, rows, dim):
    """Vectors with ties and near-duplicates, and a column of every kind."""
    vectors = unit_rows(rows, dim=dim, seed=int(rng.integers(1 << 30)))
    copies = rng.integers(0, rows, rows // 4)
    vectors[rng.integers(0, rows, rows // 4)] = vectors[copies]
    columns, _ = table(rows)
    columns["key"] = pa.array([f"{row:04}" for row in range(rows)])
    columns["URL"] = pa.array([f"https://pictures.example/{row}.jpg" for row in range(rows)])
    columns["id"] = pa.array(range(rows))
    columns["preview"] = pa.nulls(rows, pa.binary())
    return vectors.astype(np.float16), columns
