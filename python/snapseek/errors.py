"""All exceptions that snapseek raises on purpose.

    SnapseekError
    ├── InputError (ValueError)         an argument or a query cannot be used as passed
    │   ├── ArrayError                  an array has the wrong type, dtype or shape
    │   ├── NonFiniteError              an array holds NaN or infinity
    │   ├── OutOfRangeError             a number is outside its range
    │   ├── UnknownChoiceError          a name is not one of the choices
    │   ├── ParseError                  a text cannot be parsed
    │   ├── MissingArgumentError        an argument that is needed here was left out
    │   ├── WrongIndexError             a prepared filter belongs to another index
    │   └── ConstructorError (TypeError)  a class was called that its `open`, `build` or `load` makes
    ├── PictureError                    one picture cannot be read; indexing continues without it
    ├── ModelError                      a model is missing, damaged or unsupported
    │   └── ModelMismatchError          a library was made with another model
    ├── LibraryError                    a library cannot be used
    │   ├── LibraryNotFoundError
    │   ├── LibraryBusyError            another process is writing it
    │   ├── FormatError                 one of its files is damaged, or too new for this version
    │   └── PartitionError              a partition of a collection cannot answer
    ├── StorageError (OSError)          the disk refused: full, read-only, no permission
    └── ItemNotFoundError (LookupError) no picture has that id

Every exception has the fields `code`, `expected`, `got` and `hint`. `code` is stable, so programs can rely on
it. The others are text for people; `str(error)` joins them to one message:

    expected threads of 1 or more, got 0; leave it out to use all cores

The command line prints the same fields, and the server sends them as members of a problem document.
"""

from collections.abc import Iterable
from typing import ClassVar

RENEW = "delete the file and fetch or copy it again"
"""How to repair a damaged file of a model."""

MAX_GOT_CHARACTERS = 300
"""Bounds `got`, which repeats input: a request may contain megabytes of it."""


class SnapseekError(Exception):
    """Base class of every exception that snapseek raises on purpose.

    Parameters
    ----------
    message
        The message without `hint`. By default it is made of `expected` and `got`.
    expected
        What would have been accepted, as a noun phrase.
    got
        What was found instead, as a noun phrase or an excerpt; cut after `MAX_GOT_CHARACTERS` characters.
    hint
        How to fix it, as an imperative.
    """

    code: ClassVar[str] = "error"
    """Stable name of this kind of failure, for programs."""

    def __init__(
        self,
        message: str | None = None,
        *,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.expected = expected
        self.got = None if got is None else _excerpt(got)
        self.hint = hint
        self.summary = _summary(expected, self.got) if message is None else message
        super().__init__(f"{self.summary}; {hint}" if hint else self.summary)

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InputError(SnapseekError, ValueError):
    """An argument or a query cannot be used as passed."""

    code = "invalid_input"


class ArrayError(InputError):
    """An array has the wrong type, dtype or shape."""

    code = "invalid_array"


class NonFiniteError(InputError):
    """An array holds NaN or infinity."""

    code = "non_finite"


class OutOfRangeError(InputError):
    """A number is outside its range."""

    code = "out_of_range"


class UnknownChoiceError(InputError):
    """A name is not one of the choices."""

    code = "unknown_choice"


class ParseError(InputError):
    """A text cannot be parsed."""

    code = "unparsable"


class MissingArgumentError(InputError):
    """An argument that is needed here was left out."""

    code = "missing_argument"


class WrongIndexError(InputError):
    """A prepared filter belongs to another index."""

    code = "wrong_index"


class ConstructorError(InputError, TypeError):
    """A class was called whose objects are made by methods such as `open`, `build` and `load`."""

    code = "wrong_constructor"

    @classmethod
    def of(cls, call: str, *ways: str) -> "ConstructorError":
        """Return the error for a call such as `Library("holiday")`, with the right ways."""
        return cls(expected=f"{' or '.join(ways)}", got=call)


def call_text(name: str, arguments: tuple[object, ...], named: dict[str, object]) -> str:
    """Return a call as one writes it, such as `Library('holiday')`, with long arguments cut."""
    shown = [f"{value!r:.40}" for value in arguments]
    shown += [f"{key}={value!r:.40}" for key, value in named.items()]
    return f"{name}({', '.join(shown)})"


class PictureError(SnapseekError):
    """One picture cannot be read. The message is the reason, without the picture's name."""

    code = "unreadable_picture"


class ModelError(SnapseekError):
    """A model is missing, damaged or unsupported."""

    code = "unusable_model"


class ModelMismatchError(ModelError):
    """A library was made with another model than the one that was passed."""

    code = "model_mismatch"


class LibraryError(SnapseekError):
    """A library cannot be used."""

    code = "unusable_library"


class LibraryNotFoundError(LibraryError):
    """There is no library at that path."""

    code = "library_not_found"


class LibraryBusyError(LibraryError):
    """Another process is writing this library."""

    code = "library_busy"


class FormatError(LibraryError):
    """A file is damaged, is of another format, or is newer than this version reads."""

    code = "damaged_file"


class PartitionError(LibraryError):
    """A partition of a collection, or each of them, cannot answer now."""

    code = "partition_unavailable"


class StorageError(SnapseekError, OSError):
    """The disk refused: full, read-only, or no permission."""

    code = "storage_failed"


class ItemNotFoundError(SnapseekError, LookupError):
    """No picture of this library has that id."""

    code = "item_not_found"


def near_name(found: str, names: Iterable[str]) -> str:
    """Return "; did you mean ...?" with the most similar of `names`, or an empty text."""
    near = similar_name(found, names)
    return f"; did you mean {near}?" if near else ""


def similar_name(found: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `found` is probably a misspelling of."""
    from difflib import get_close_matches  # takes as long to import as all else that `--version` needs

    return next(iter(get_close_matches(found, list(names), n=1)), None)


def _summary(expected: str | None, got: str | None) -> str:
    """Return the message without its hint."""
    parts = (f"expected {expected}" if expected else "", f"got {got}" if got else "")
    return ", ".join(part for part in parts if part)


def _excerpt(text: str) -> str:
    return text if len(text) <= MAX_GOT_CHARACTERS else f"{text[:MAX_GOT_CHARACTERS]}..."
