"""The reference evaluation of a filter on one record: the oracle of the columnar evaluation.

Reads trees as they are written, before `filter_meaning` has looked at them, and shares no code with it.
"""

import calendar
import math
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta

from snapseek.library.filters.ast import And, Condition, GeoWithin, Not, Or

ROLES = ("taken", "date", "datetime", "timestamp", "created", "modified")


def holds(tree, record):
    match tree:
        case And(parts):
            return all(holds(part, record) for part in parts)
        case Or(parts):
            return any(holds(part, record) for part in parts)
        case Not(part):
            return not holds(part, record)
        case GeoWithin():
            return _is_near(tree, record)
        case Condition(column, "!=", value):
            return not holds(Condition(column, "=", value), record)
        case Condition(column, "exists", value):
            return (_value(column, record) is not None) == value
        case Condition(column, "in", values):
            return any(holds(Condition(column, "=", value), record) for value in values)
        case Condition(column, operator, wanted):
            found = _value(column, record)
            if found is None:
                return False
            if isinstance(found, list):
                return any(_compare(operator, entry, wanted) for entry in found)
            return _compare(operator, found, wanted)


def _value(column, record):
    column = {"tag": "tags", "type": "kind"}.get(column, column)
    if column in ("date", "year") and column not in record:
        moments = [_local(role, record) for role in ROLES if isinstance(record.get(role), date)]
        return None if not moments else moments[0] if column == "date" else moments[0].year
    if column in ("pixels", "megapixels", "orientation"):
        width, height = record["width"], record["height"]
        if not width or not height:
            return None
        if column == "orientation":
            return "portrait" if width < height else "landscape" if width > height else "square"
        return width * height / (1e6 if column == "megapixels" else 1)
    value = record.get(column)
    if isinstance(value, list):
        entries = [entry for entry in value if entry is not None]
        return entries or None
    return None if isinstance(value, float) and math.isnan(value) else value


def _local(role, record):
    """Return a date, that of taking in local time."""
    minutes = record.get("taken_offset_minutes") if role == "taken" else None
    return record[role] + timedelta(minutes=minutes) if minutes else record[role]


def _compare(operator, found, wanted):
    if isinstance(found, bool):
        return found == (str(wanted).lower() in ("true", "yes", "1"))
    if isinstance(found, date):
        return _compare_time(operator, found, wanted)
    if isinstance(found, int | float):
        return _ordered(operator, found, float(wanted) if isinstance(wanted, str) else wanted)
    return _compare_text(operator, found, str(wanted))


def _ordered(operator, found, wanted):
    return {
        "=": found == wanted,
        "<": found < wanted,
        "<=": found <= wanted,
        ">": found > wanted,
        ">=": found >= wanted,
    }[operator]


def _compare_text(operator, found, wanted):
    if operator == "contains":
        words, wanted_words = cut(found), cut(wanted)
        span = len(wanted_words)
        for start in range(len(words) - span + 1):
            here = words[start : start + span]
            if here == wanted_words:
                return True
            is_begun = wanted.endswith("*") and here[-1].startswith(wanted_words[-1])
            if is_begun and here[:-1] == wanted_words[:-1]:
                return True
        return False
    found, wanted = plain(found), plain(wanted)
    if operator == "prefix":
        return found.startswith(wanted)
    if operator == "within":
        if wanted.startswith("/"):
            return f"{found.strip('/')}/".startswith(f"{wanted.strip('/')}/") or not wanted.strip("/")
        if f"/{wanted.strip('/')}/" in f"/{found.strip('/')}/":
            return True
        words, names = cut(wanted), cut(found)
        is_name = "/" not in wanted.strip("/") and bool(words)
        return is_name and any(names[start : start + len(words)] == words for start in range(len(names)))
    return _ordered(operator, found.encode(), wanted.encode())


def plain(text):
    marks = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in marks if unicodedata.category(letter) != "Mn").lower()


def cut(text):
    return re.findall(r"[぀-ヿ一-鿿]|[^\W_぀-ヿ一-鿿]+", plain(text))


def _compare_time(operator, found, wanted):
    low, high = period(wanted)
    moment = found if isinstance(found, datetime) else datetime(found.year, found.month, found.day)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return {
        "=": low <= moment < high,
        "<": moment < low,
        "<=": moment < high,
        ">": moment >= high,
        ">=": moment >= low,
    }[operator]


def period(wanted):
    parts = [int(part) for part in str(wanted).split("-")]
    low = datetime(*([*parts, 1, 1])[:3], tzinfo=UTC)
    if len(parts) == 1:
        return low, low.replace(year=low.year + 1)
    if len(parts) == 2:
        days = calendar.monthrange(low.year, low.month)[1]
        return low, low + timedelta(days=days)
    return low, low + timedelta(days=1)


def _is_near(near, record):
    latitude, longitude = record.get("latitude"), record.get("longitude")
    if latitude is None or longitude is None:
        return False
    a, b = math.radians(near.latitude), math.radians(latitude)
    across = math.radians(longitude - near.longitude)
    cosine = math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(across)
    return 6371.0088 * math.acos(max(-1.0, min(1.0, cosine))) <= near.radius_km
