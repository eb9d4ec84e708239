"""snapseek.errors: fields, the message that they make, and the tree of exceptions."""

import copy
import inspect
import pickle

import pytest

from snapseek import errors
from snapseek.errors import InputError, SnapseekError, StorageError

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SnapseekError)]
FIELDS = {"expected": "a folder", "got": "a file", "hint": "pass its folder"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (FIELDS, "expected a folder, got a file; pass its folder"),
        ({"expected": "a folder", "got": "a file"}, "expected a folder, got a file"),
        ({"expected": "a folder"}, "expected a folder"),
        ({"got": "a file"}, "got a file"),
        ({}, ""),
    ],
)
def test_the_fields_make_the_message(fields, message):
    assert str(SnapseekError(**fields)) == message


def test_a_message_of_its_own_is_kept_and_gets_the_hint():
    assert str(InputError("no such folder")) == "no such folder"
    error = InputError("no such folder", got="'x'", hint="make it")
    assert str(error) == "no such folder; make it"
    assert (error.summary, error.expected, error.got, error.hint) == (
        "no such folder",
        None,
        "'x'",
        "make it",
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_takes_a_message_or_fields_and_survives_copies(kind):
    for error in (kind("a message"), kind(**FIELDS), kind("a message", hint="do it")):
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(again) is kind
            assert str(again) == str(error) != ""
            assert vars(again) == vars(error)
    assert kind(**FIELDS).args == (str(kind(**FIELDS)),)


def test_every_kind_has_a_code_of_its_own_and_stands_in_the_tree():
    codes = [kind.code for kind in KINDS]
    assert sorted(set(codes)) == sorted(codes)
    tree = errors.__doc__ or ""
    for kind in KINDS:
        assert f" {kind.__name__}" in tree


def test_the_tree_is_drawn_as_it_is():
    parents, line_of = {}, {}
    for line in (errors.__doc__ or "").splitlines():
        name = next((kind.__name__ for kind in KINDS if kind.__name__ in line.split()), None)
        if name:
            depth = line.index(name) // 4
            line_of[depth] = name
            parents[name] = line_of.get(depth - 1)
    assert parents == {
        kind.__name__: None if kind is SnapseekError else kind.__bases__[0].__name__ for kind in KINDS
    }


def test_a_repeated_input_is_cut():
    error = InputError(expected="a word", got="x" * 10_000_000)
    assert len(str(error)) < 2 * errors.MAX_GOT_CHARACTERS
    assert error.got == "x" * errors.MAX_GOT_CHARACTERS + "..."


def test_an_error_of_the_disk_is_one_of_python_too():
    error = StorageError("could not write", hint="free some space")
    assert isinstance(error, OSError)
    assert str(error) == "could not write; free some space"
    assert error.filename is None


def test_a_similar_name_is_found():
    assert errors.similar_name("serach", ["search", "sync"]) == "search"
    assert errors.similar_name("xyz", ["search", "sync"]) is None
    assert errors.near_name("serach", ["search"]) == "; did you mean search?"
    assert errors.near_name("xyz", ["search"]) == ""
