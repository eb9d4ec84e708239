"""Golden files open, verify and return the recorded results to the bit."""

import shutil
from pathlib import Path

import pytest

from snapseek import VectorIndex
from snapseek._core import IvfIndex, build_ivf
from snapseek.errors import FormatError
from tests.support import golden_files, reference, reference_index
from tests.support.golden_files import GOLDEN, Answer

FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/answers.txt"))
FILES = sorted(GOLDEN.glob("*/*.snap"))


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def version_of(path: Path) -> int:
    fields, _ = reference.format_tables(reference_index.FORMAT_PAGE)
    version = next(field for field in fields if field.name == "version").read(path.read_bytes())
    assert isinstance(version, int)
    return version


def test_every_kind_of_file_is_kept() -> None:
    stems = {folder.name: {path.stem for path in folder.glob("*.snap")} for folder in FOLDERS}
    assert stems["version-1"] == {
        "flat",
        "flat-ids",
        "lists-none",
        "lists-int4",
        "lists-int8",
        "lists-f16",
        "lists-tcq2",
        "lists-tcq3",
        "lists-kinds",  # with two kinds of query, before thresholds of early termination
        "lists-packed",  # with packed ids, and scales of two bytes
        "lists-bst1.75",
    }


def test_the_version_that_is_written_now_is_kept(tmp_path: Path) -> None:
    VectorIndex.build(golden_files.unit_rows(3), path=tmp_path / "a.snap")
    assert f"version-{version_of(tmp_path / 'a.snap')}" in [folder.name for folder in FOLDERS]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_results_equal_the_recorded_ones(path: Path) -> None:
    assert path.parent.name == f"version-{version_of(path)}"
    index = VectorIndex.open(path)
    index.verify()
    assert (index.info().rows, index.info().dim) == (golden_files.ROWS, golden_files.DIM)
    lines = (path.parent / "answers.txt").read_text(encoding="ascii").splitlines()
    expected = [answer for answer in map(Answer.of_line, lines) if answer.file == path.stem]
    assert len(expected) == 3 * golden_files.QUERIES
    assert golden_files.ask(index, path.stem, golden_files.queries(path.parent)) == expected


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_flipped_bit_is_detected(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a.snap"
    shutil.copyfile(path, copy)
    data = bytearray(copy.read_bytes())
    data[-70] ^= 4
    copy.write_bytes(data)
    with pytest.raises(FormatError):
        VectorIndex.open(copy).verify()


@pytest.mark.parametrize("stem", ["lists-kinds", "lists-packed"])
def test_an_index_that_shares_the_training_of_a_file_has_its_checksum(stem: str, tmp_path: Path) -> None:
    trained = GOLDEN / "version-1" / f"{stem}.snap"
    build_ivf(tmp_path / "a.snap", golden_files.unit_rows(90, golden_files.DIM), training=trained)
    assert IvfIndex.open(tmp_path / "a.snap").training_checksum == IvfIndex.open(trained).training_checksum
