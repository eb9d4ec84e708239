"""The rows that have a word, as packed bits: one bit a row, the first row in the top bit of a byte.

Unions, intersections and counts of packed rows read 64 rows at a time: 190 kB for 1.5 million rows. Arrays
have a length that is a multiple of 8 bytes; the bits after the last row are 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags, as_mask

Packed = NDArray[np.uint8]
Rows = NDArray[np.int32] | NDArray[np.int64]

_TOP_BIT = np.uint8(0x80)
_MAX_SCATTERED = 16_384
"""Longer lists of rows are set in an array of flags, which is packed then."""


@dataclass(frozen=True)
class Postings:
    """The rows of a shard that have a word in one column: rising lists, and bitmaps of frequent words."""

    lists: Sequence[Rows] = ()
    bitmaps: Sequence[Packed] = ()

    def __bool__(self) -> bool:
        """Whether any row may have the word."""
        return bool(self.bitmaps) or any(map(len, self.lists))

    def add_to(self, packed: Packed, rows: int) -> None:
        """Set the bits of all rows of a shard of so many rows."""
        for bitmap in self.bitmaps:
            np.bitwise_or(packed[: len(bitmap)], bitmap, out=packed[: len(bitmap)])
        if self.bitmaps and rows % 8:  # a damaged file may have bits after the last row
            packed[rows // 8] &= 0xFF << (8 - rows % 8) & 0xFF
        for listed in self.lists:
            set_rows(packed, listed, rows)

    def has(self, rows: NDArray[np.int64]) -> Flags:
        """Return whether each of these rows has the word, (n,) bool."""
        found = np.zeros(len(rows), np.bool_)
        for bitmap in self.bitmaps:
            found |= has_rows(bitmap, rows)
        for listed in self.lists:
            if len(listed):
                places = np.minimum(listed.searchsorted(rows), len(listed) - 1)
                found |= listed[places] == rows
        return found


def no_rows(rows: int) -> Packed:
    """Return packed bits, all 0, of a shard of so many rows."""
    return np.zeros(-(-rows // 64) * 8, np.uint8)


def packed(flags: Flags) -> Packed:
    """Return flags, (rows,) bool, as packed bits."""
    bits = no_rows(len(flags))
    bits[: -(-len(flags) // 8)] = np.packbits(flags)
    return bits


def set_rows(bits: Packed, listed: Rows, rows: int) -> None:
    """Set the bits of rows of a shard of so many rows."""
    if len(listed) <= _MAX_SCATTERED:
        np.bitwise_or.at(bits, listed >> 3, _TOP_BIT >> (listed & 7).astype(np.uint8))
        return
    flags = np.zeros(rows, np.bool_)
    flags[listed] = True
    part = bits[: -(-rows // 8)]
    np.bitwise_or(part, np.packbits(flags), out=part)


def count(bits: Packed) -> int:
    """Return how many rows are set."""
    return int(np.bitwise_count(bits.view(np.uint64)).sum(dtype=np.int64))


def has_rows(bits: Packed, rows: NDArray[np.int64]) -> Flags:
    """Return whether each of these rows is set, (n,) bool."""
    return as_mask((bits[rows >> 3] << (rows & 7).astype(np.uint8)) & _TOP_BIT != 0)
