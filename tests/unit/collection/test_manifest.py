"""The manifest: every field is checked, ids are stable, and no other file is replaced."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from snapseek.collection.manifest import (
    MAX_NUMBER,
    Manifest,
    PartitionEntry,
    checked_location,
    is_manifest,
    manifest_path,
    read_manifest,
)
from snapseek.errors import FormatError, InputError, LibraryNotFoundError
from snapseek.library.storage.concept_table import ConceptRow

COMMIT = "ab" * 16
REX = ConceptRow("rex", "Rex", (5, 2**36 + 5), (7,))


def entry(number=0, name="a", locations=("a.snapseek",), **fields):
    return PartitionEntry(number, name, locations, **({"count": 1, "next_id": 2, "commit": COMMIT} | fields))


def manifest(*entries):
    made = Manifest("photos", "starter", "cd" * 32, 396)
    for one in entries:
        made = made.with_partition(one)
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "collection.json"


def test_a_manifest_is_read_as_it_was_written(path):
    written = manifest(entry(), entry(1, "b", ("http://10.0.0.1:8000", "https://10.0.0.2/x")))
    written.write(path)
    assert read_manifest(path) == written
    assert is_manifest(path)
    assert manifest_path(path) == manifest_path(path.parent) == path


def test_the_number_of_a_removed_partition_is_not_used_again(path):
    made = manifest(entry(0, "a"), entry(1, "b")).without("b")
    made.write(path)
    assert read_manifest(path).next_number == 2
    with pytest.raises(InputError, match="known: a"):
        made.without("b")


WRONG = {
    "name": ["", 7, None, "x" * 5000],
    "model": [None, ""],
    "fingerprint": ["", "xyz", "AB" * 16, 7],
    "dim": [0, -1, True, "396", 10**9],
    "next_number": [-1, 0, 10**9, 1.0],
    "deadline_s": [0, -1, "5", 10**6, float("nan"), True],
    "partitions": [None, {}, "a", [7], [[]], [{}] * 5000],
    "snapseek_collection": [2, "1", None],
    "concepts": [{}, "a", [7], [{}] * 501],
}
WRONG_CONCEPT = {
    "name": ["", "-a", " a", None, "17", "x" * 61],
    "examples": [None, "1", [-1], [1.0], [True], [2**53], list(range(2001))],
    "counterexamples": [None, {}],
}
WRONG_ENTRY = {
    "number": [-1, MAX_NUMBER + 1, "0", None, True, 1.5],
    "name": ["", "../a", "a b", "-a", None, "x" * 101, "a\n"],
    "locations": [[], "a", [""], [7], ["a", "b"], ["http://a"] * 17, ["http://"], ["http://u:p@h"], ["a\0"]],
    "count": [-1, 2**40, 1.0, None],
    "next_id": [-1, 2**40, "1"],
    "commit": ["", "xyz", None],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in WRONG for value in WRONG[name]])
def test_a_wrong_field_is_named(name, value, path):
    manifest(entry()).write(path)
    body = json.loads(path.read_text()) | {name: value}
    path.write_text(json.dumps(body))
    with pytest.raises(FormatError) as caught:
        read_manifest(path)
    assert name.removeprefix("snapseek_").removesuffix("s") in str(caught.value)
    assert caught.value.expected
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in WRONG_ENTRY for value in WRONG_ENTRY[name]]
)
def test_a_wrong_field_of_a_partition_is_named(name, value, path):
    manifest(entry()).write(path)
    body = json.loads(path.read_text())
    body["partitions"][0][name] = value
    path.write_text(json.dumps(body))
    with pytest.raises(FormatError, match=name):
        read_manifest(path)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in WRONG_CONCEPT for value in WRONG_CONCEPT[name]]
)
def test_a_wrong_field_of_a_concept_is_named(name, value, path):
    replace(manifest(entry()), concepts=(REX,)).write(path)
    body = json.loads(path.read_text())
    body["concepts"][0][name] = value
    path.write_text(json.dumps(body))
    with pytest.raises(FormatError, match=name):
        read_manifest(path)


def test_concepts_are_kept_by_changes_of_partitions(path):
    written = replace(manifest(entry()), concepts=(REX,)).with_partition(entry(1, "b")).without("a")
    written.write(path)
    assert read_manifest(path).concepts == (REX,)


@pytest.mark.parametrize("field", ["number", "name"])
def test_two_partitions_with_the_same_name_or_number_are_refused(field, path):
    manifest(entry(0, "a"), entry(1, "b")).write(path)
    body = json.loads(path.read_text())
    body["partitions"][1][field] = body["partitions"][0][field]
    path.write_text(json.dumps(body))
    with pytest.raises(FormatError, match=f"different {field}"):
        read_manifest(path)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"partitions": []}']
)
def test_another_file_is_no_manifest(data, path):
    path.write_bytes(data)
    with pytest.raises(FormatError):
        read_manifest(path)


def test_a_missing_manifest_says_how_to_make_one(path):
    with pytest.raises(LibraryNotFoundError, match="snapseek collection create"):
        read_manifest(path)


def test_a_file_that_is_no_manifest_is_not_replaced(path):
    path.write_text("important")
    with pytest.raises(InputError):
        manifest(entry()).write(path)
    assert path.read_text() == "important"


@pytest.mark.parametrize(
    "location", ["http://h:99999", "http://h:x", "http://h/?a=b", "http://h/#a", "", "a\0b"]
)
def test_a_location_that_names_no_partition_is_refused(location):
    with pytest.raises(InputError):
        checked_location(location)


def test_the_first_format_is_read():
    found = read_manifest(Path(__file__).parents[2] / "golden" / "collection-1.json")
    assert (found.name, found.dim, found.next_number, found.deadline_s) == ("photos", 396, 3, 2.5)
    first, second = found.partitions
    assert first == entry()
    assert second.locations == ("http://10.0.0.5:8000", "https://photos.example/b")
    assert (second.number, second.count, second.next_id) == (2, 7, 9)
