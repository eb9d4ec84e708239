"""Everything that snapseek raises on purpose.

    SnapseekError
    ├── InputError              an argument or a query is not usable as given
    ├── PictureError            one picture cannot be read; an index goes on without it
    ├── ModelError              a model is missing, damaged or of an unknown kind
    │   └── ModelMismatchError  a library was made with another model
    ├── LibraryError            a library cannot be used
    │   ├── LibraryNotFoundError
    │   ├── LibraryBusyError    another process is writing it
    │   └── FormatError         a file in it is damaged, or newer than this version reads
    ├── StorageError            the disk refused: full, read-only, no permission
    └── ItemNotFoundError       no picture has that id

Every message is one sentence for the user: what was expected, what was found, how to mend it.
"""

from collections.abc import Iterable
from difflib import get_close_matches

RENEW = "delete the file and fetch or copy it again"
"""How to mend a damaged file of a model."""


class SnapseekError(Exception):
    """Base of all errors below; catch it to catch them all."""


class InputError(SnapseekError, ValueError):
    """An argument or a query is not usable as given."""


class PictureError(SnapseekError):
    """One picture cannot be read. The message is the reason, without the picture's name."""


class ModelError(SnapseekError):
    """A model is missing, damaged or of an unknown kind."""


class ModelMismatchError(ModelError):
    """A library was made with another model than the one that asks."""


class LibraryError(SnapseekError):
    """A library cannot be used."""


class LibraryNotFoundError(LibraryError):
    """There is no library at that place."""


class LibraryBusyError(LibraryError):
    """Another process is writing this library."""


class FormatError(LibraryError):
    """A file is damaged, is not of this kind, or is newer than this version reads."""


class StorageError(SnapseekError, OSError):
    """The disk refused: full, read-only, or no permission."""


class ItemNotFoundError(SnapseekError, LookupError):
    """No picture of this library has that id."""


def near_name(found: str, names: Iterable[str]) -> str:
    """What the refusal of a name adds: the one of `names` that was meant, if one is like it."""
    near = get_close_matches(found, list(names), n=1)
    return f"; did you mean {near[0]}?" if near else ""
