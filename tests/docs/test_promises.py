"""The page of promises: its tests and targets exist, and its numbers are those of the code."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text("utf-8")
UNITS = {
    "": 1,
    "%": 0.01,
    "s": 1,
    "px": 1,
    "tokens": 1,
    "bytes": 1,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
}
LIMITS = re.findall(r"^\| ([^|]+) \| ([\d,.]+) ?([^ |]*) \| `([^`]+\.py):([\w.]+)` \|$", PAGE, re.MULTILINE)


def rows(section: str) -> list[list[str]]:
    """Return the cells of the tables of a section, without their heads."""
    text = re.split(r"^## ", PAGE.split(f"\n## {section}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [row for row in cells if row[-1] not in ("checked by", "constant") and "---" not in row[0]]


@pytest.mark.parametrize(("limit", "number", "unit", "file", "name"), LIMITS, ids=lambda part: part[:40])
def test_a_limit_is_the_number_of_its_constant(limit, number, unit, file, name):
    found = importlib.import_module("snapseek." + file.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        found = getattr(found, part)
    assert found == pytest.approx(float(number.replace(",", "")) * UNITS[unit]), limit


def test_every_row_of_limits_is_compared():
    assert len(LIMITS) > 40
    assert len(rows("Limits")) == len(LIMITS)


@pytest.mark.parametrize("row", rows("Durability") + rows("Trust"), ids=lambda row: row[0][:40])
def test_a_promise_names_a_check_that_exists(row):
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    checks = re.findall(r"`([^`]+)`", row[-1])
    assert checks, row
    for check in checks:
        file, _, test = check.partition("::")
        if check.startswith("make "):
            assert check.removeprefix("make ") in targets, check
        else:
            source = (ROOT / "tests" / file).read_text("utf-8")
            assert not test or f"\ndef {test}(" in source, check


def test_the_policy_of_security_leads_to_the_promises():
    policy = (ROOT / "SECURITY.md").read_text("utf-8")
    assert "docs/promises.md" in policy
    assert "@" not in policy  # reports go through the repository, not to an address
