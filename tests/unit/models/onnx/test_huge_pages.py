"""Weights on huge pages."""

import sys
from pathlib import Path

import numpy as np
import pytest

from snapseek.models.onnx import huge_pages
from snapseek.models.onnx.huge_pages import HUGE_PAGE_BYTES, collapse, has_huge_pages, start_collapse

MAPS = """\
55d000000000-55d000800000 rw-p 00000000 00:00 0                          [heap]
7f0000100000-7f0000900000 rw-p 00000000 00:00 0
7f0001000000-7f0001100000 rw-p 00000000 00:00 0
7f0002000000-7f0002800000 r--p 00000000 00:00 0
7f0003000000-7f0003800000 rw-p 00000000 fe:00 77                         /a file (deleted)
7f0004000000-7f0004800000 rw-s 00000000 00:00 0
7f0005000000-7f0005200000 rw-p 00000000 00:00 0
7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0                          [stack]
"""


def test_only_large_private_memory_is_moved() -> None:
    ranges = list(huge_pages._large_ranges(MAPS.splitlines()))
    assert ranges == [
        (0x55D000000000, 4 * HUGE_PAGE_BYTES),
        (0x7F0000200000, 3 * HUGE_PAGE_BYTES),
        (0x7F0005000000, HUGE_PAGE_BYTES),
    ]


def test_memory_keeps_its_values() -> None:
    values = np.arange(3 * HUGE_PAGE_BYTES, dtype=np.uint32)
    collapse()
    np.testing.assert_array_equal(values, np.arange(3 * HUGE_PAGE_BYTES, dtype=np.uint32))


@pytest.mark.skipif(not has_huge_pages(), reason="the system has no huge pages")
def test_large_memory_lies_in_huge_pages_afterwards() -> None:
    values = np.ones(16 * HUGE_PAGE_BYTES, np.uint8)
    if not collapse():
        pytest.skip("this kernel cannot collapse memory, or has no huge page left")
    assert values.all()
    assert _huge_bytes(values.ctypes.data + values.nbytes // 2) >= 8 * HUGE_PAGE_BYTES


def _huge_bytes(address: int) -> int:
    """Return the bytes in huge pages of the mapping with that address."""
    is_here = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, _, value = line.partition(" ")
        if "-" in name:
            first, last = (int(part, 16) for part in name.split("-"))
            is_here = first <= address < last
        elif is_here and name == "AnonHugePages:":
            return int(value.split()[0]) * 1024
    return 0


@pytest.mark.parametrize("setting", ["always madvise [never]\n", None])
def test_nothing_happens_where_the_system_has_none(
    setting: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting is not None:
        (tmp_path / "enabled").write_text(setting)
    monkeypatch.setattr(huge_pages, "_SETTING", tmp_path / "enabled")
    monkeypatch.setattr(huge_pages, "collapse", lambda: pytest.fail("called"))
    assert not has_huge_pages()
    start_collapse()


def test_a_system_without_maps_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huge_pages, "_MAPS", tmp_path / "maps")
    assert collapse() == 0
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not has_huge_pages()
