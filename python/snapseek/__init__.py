"""Search your pictures by words.

    from snapseek import Library

    library = Library.build("holiday/", "holiday.snapseek")
    library.search("two dogs on a beach", limit=20)     # a row of pictures in a notebook

`Library` is a folder of pictures made searchable, `Term` a part of a query to it; `Encoder` is the model that
puts words and pictures into one space; `VectorIndex` searches vectors of your own; `errors` holds everything
that is raised on purpose.
Names are loaded when first used, so that `import snapseek` costs nothing to those who want one part of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snapseek._core import __version__
    from snapseek.errors import SnapseekError
    from snapseek.library import Hit, Hits, Library, Term
    from snapseek.models import Encoder
    from snapseek.vectors.index import VectorIndex

__all__ = ["Encoder", "Hit", "Hits", "Library", "SnapseekError", "Term", "VectorIndex", "__version__"]

_HOME = {
    "Encoder": "snapseek.models",
    "Hit": "snapseek.library",
    "Hits": "snapseek.library",
    "Library": "snapseek.library",
    "SnapseekError": "snapseek.errors",
    "Term": "snapseek.library",
    "VectorIndex": "snapseek.vectors",
    "__version__": "snapseek._core",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'snapseek' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
