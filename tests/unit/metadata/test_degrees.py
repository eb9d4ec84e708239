import pytest

from snapseek.metadata.degrees import parse_degrees


@pytest.mark.parametrize(
    ("value", "reference", "degrees"),
    [
        ("48,51.39N", None, 48.8565),
        ("48,51,23.4N", None, 48.8565),
        ("48,51.3900000000000000000000000N", None, 48.8565),
        ("2,21,7.2W", None, -2.352),
        ("2, 21.12 w", None, -2.352),
        ("2,20E", None, 2 + 20 / 60),
        ("48.8565", None, 48.8565),
        ("-33.86", None, -33.86),
        ("+33.86", None, 33.86),
        ("33.86S", None, -33.86),
        ("33.86", "South", -33.86),
        ("48.8565 N", "N", 48.8565),
        ("48 deg 51' 23.40\" N", None, 48.8565),
        ("2 deg 21' 7.20\" W", None, -2.352),
        ("48° 51' 23.4\" N", None, 48.8565),
        ("48\u00b051\u203223.4\u2033N", None, 48.8565),
        ("N48.8565", None, 48.8565),
        ("-0,30,0", None, -0.5),
        (48.8565, None, 48.8565),
        (33.86, "S", -33.86),
        (-33.86, "S", -33.86),
        (33, None, 33.0),
    ],
)
def test_the_forms_that_programs_write(value, reference, degrees):
    assert parse_degrees(value, reference) == pytest.approx(degrees)


@pytest.mark.parametrize(
    "value",
    ["", "north", "4851.39N", "48,51,23,4N", "48,,N,", None, True, float("nan"), float("inf"), [], "9" * 200],
)
def test_other_values_are_unknown(value):
    assert parse_degrees(value) is None
