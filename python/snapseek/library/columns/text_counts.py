"""Count the texts of a column that has no dictionary, such as the folders of very many."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snapseek.library.columns.column_index import Flags
from snapseek.library.filters.text_normalize import casefold_texts
from snapseek.library.records.arrow_file import Records

_compute: Any = pc


def count_texts(records: Records, column: str, mask: Flags | None) -> tuple[list[tuple[str, str]], list[int]]:
    """Return the different texts of the rows of a mask, casefolded and as spelled, and their numbers."""
    counts: dict[str, int] = {}
    shown: dict[str, str] = {}
    start = 0
    for part in records.column(column):
        rows: Any = part
        if mask is not None:
            rows = rows.take(pa.array(np.flatnonzero(mask[start : start + len(part)])))
        start += len(part)
        texts = rows.cast(pa.large_string()).drop_null()
        spellings = _compute.value_counts(texts)
        spelled = spellings.field("values")
        for key, text, count in zip(
            casefold_texts(spelled).to_pylist(),
            spelled.to_pylist(),
            spellings.field("counts").to_pylist(),
            strict=True,
        ):
            counts[key] = counts.get(key, 0) + count
            shown.setdefault(key, text)
    return [(key, shown[key]) for key in counts], list(counts.values())
