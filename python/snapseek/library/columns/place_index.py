"""The columns `place` and `country`: the town of each picture by its coordinates."""

from typing import Any

import numpy as np
import pyarrow as pa

from snapseek.library.columns.column_builder import TermCodes
from snapseek.library.columns.dictionary import DictionaryIndex
from snapseek.library.columns.numeric import NumericIndex
from snapseek.places import gazetteer, place_of

PLACE_COLUMNS = ("place", "country")
"""Computed, unless a table of the user has columns of these names."""

_NUMBER = (int, float)


def place_indexes(latitude: NumericIndex, longitude: NumericIndex) -> dict[str, DictionaryIndex]:
    """Return the index of each of `PLACE_COLUMNS`. A picture without coordinates has no place."""
    rows = np.flatnonzero(latitude.mask("exists", True) & longitude.mask("exists", True))
    towns = np.full(len(latitude.values), -1, np.int32)
    names: tuple[Any, Any] = (pa.array([], pa.string()), pa.array([], pa.string()))
    if len(rows):
        here = gazetteer()
        names = (here.names, here.countries)
        values = (index.values[rows].astype(np.float64) for index in (latitude, longitude))
        towns[rows] = here.nearest(*values)
    used, number_of = np.unique(towns[towns >= 0], return_inverse=True)
    return {
        column: _index_of(texts.take(pa.array(used)), towns >= 0, number_of)
        for column, texts in zip(PLACE_COLUMNS, names, strict=True)
    }


def _index_of(texts: Any, has_place: Any, number_of: Any) -> DictionaryIndex:
    """Return the index of rows, of which those with a place have the text of that number."""
    codes = TermCodes()
    of_text = codes.of(texts.cast(pa.large_string()))
    terms, spellings, new_codes = codes.sorted()
    row_codes = np.zeros(len(has_place), np.min_scalar_type(len(codes)))
    row_codes[has_place] = new_codes[of_text[number_of]] + 1
    return DictionaryIndex(row_codes, terms.text, terms.ends, spellings.text, spellings.ends)


def with_place(meta: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a picture with its place and country, unless a table of the user has them."""
    latitude, longitude = meta.get("latitude"), meta.get("longitude")
    if not isinstance(latitude, _NUMBER) or not isinstance(longitude, _NUMBER):
        return meta
    town = place_of(latitude, longitude)
    return {"place": town.name, "country": town.country} | meta if town else meta
