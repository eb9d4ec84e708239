"""Parse latitudes and longitudes, as programs write them in texts."""

import math
import re

_PARTS = re.compile(
    r"([NSEW])?([+-]?\d{1,3}(?:\.\d{0,40})?)(?:(?:deg|[,°d:])(\d{1,2}(?:\.\d{0,40})?)?)?"
    r"(?:(?:[,'\u2032m:])(\d{1,2}(?:\.\d{0,40})?)?)?(?:\"|''|\u2033)?([NSEW])?",
    re.IGNORECASE,
)
_MAX_LENGTH = 120


def parse_degrees(value: object, reference: object = None) -> float | None:
    """Return signed degrees: negative in the south and west.

    Parameters
    ----------
    value
        A number, or a text: `48.8566`, `48,51.39N`, `48,51,23.4N`, `48 deg 51' 23.40" N`.
    reference
        `N`, `South`, `W` and so on, if the value does not contain it.

    Returns
    -------
    float or None
        None if it is no such value.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        total, letter = float(value), ""
    else:
        text = "".join(value.split()) if isinstance(value, str) and len(value) <= _MAX_LENGTH else ""
        match = _PARTS.fullmatch(text)
        if match is None:
            return None
        first, *parts, last = match.groups()
        letter = (first or last or "").upper()
        degrees = [float(part or 0) for part in parts]
        total = math.copysign(
            sum(abs(part) / 60**index for index, part in enumerate(degrees)),
            -1 if (parts[0] or "").startswith("-") else 1,
        )
    letter = letter or (reference.strip()[:1].upper() if isinstance(reference, str) else "")
    if not math.isfinite(total):
        return None
    return -abs(total) if letter in ("S", "W") and letter else abs(total) if letter in ("N", "E") else total
