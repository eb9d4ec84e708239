"""The index of a column of numbers."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snapseek.library.columns.column_index import Flags, any_of


@dataclass(frozen=True)
class NumericIndex:
    """Numbers; times as microseconds since 1970 in UTC; flags as 0 and 1."""

    values: NDArray[Any]
    valid: Flags
    """(rows,), or empty if every row has a value."""

    def mask(self, operator: str, value: Any) -> Flags:
        """See `ColumnIndex`."""
        if operator == "exists":
            return self.valid if len(self.valid) else np.ones(len(self.values), np.bool_)
        if operator == "in":
            return any_of([self._compared("=", entry) for entry in value], len(self.values))
        return self._compared(operator, value)

    def _compared(self, operator: str, value: float) -> Flags:
        if self.values.dtype.kind in "iu":
            operator, value = _integer_comparison(operator, value)
            limits = np.iinfo(self.values.dtype)
            if not limits.min <= value <= limits.max:
                holds = value > limits.max if operator in ("<", "<=") else value < limits.min
                found = np.full(len(self.values), holds and operator != "=", np.bool_)
            else:
                found = _COMPARED[operator](self.values, value)
        else:
            with np.errstate(over="ignore"):
                found = _COMPARED[operator](self.values, self.values.dtype.type(float(value)))
        return found & self.valid if len(self.valid) else found


def _integer_comparison(operator: str, value: float) -> tuple[str, int]:
    """Return an equivalent comparison of integers with an integer."""
    if operator == "=":
        return (operator, int(value)) if value == math.floor(value) else ("<", -(2**64))
    if operator in (">", "<="):
        return operator, math.floor(value)
    return operator, math.ceil(value)


_COMPARED: dict[str, Any] = {
    "=": np.equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
