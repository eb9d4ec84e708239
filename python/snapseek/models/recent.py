"""The vectors of the texts that were asked for last."""

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]


class Recent:
    """At most `most` texts with their vectors; who was not asked for longest goes first.

    Safe to use from many threads.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, Row] = OrderedDict()

    def __contains__(self, text: str) -> bool:
        """Whether the vector of that text is kept."""
        return text in self._rows

    def get(self, text: str) -> Row | None:
        """(1, dim) float32 of a text, not to be changed, or None."""
        with self._lock:
            row = self._rows.get(text)
            if row is not None:
                self._rows.move_to_end(text)
            return row

    def keep(self, text: str, row: Row) -> None:
        """Keep (1, dim) float32, which nobody may change from now on."""
        row.flags.writeable = False
        with self._lock:
            self._rows[text] = row
            self._rows.move_to_end(text)
            if len(self._rows) > self._most:
                self._rows.popitem(last=False)
