"""Search pictures by text, on your own machine.

A CLIP-like model maps texts and pictures to vectors of one space. snapseek stores the vectors of your
pictures in a library on disk, and finds those that are closest to the vector of a text or of another picture.

>>> from snapseek import Library
>>> library = Library.build("holiday/", "holiday.snapseek")       # index a folder
>>> for hit in library.search("two dogs on a beach", limit=5):  # best first
...     print(hit.score, hit.path)

In a notebook the result of `search` is displayed as a row of previews with names and scores.
`Library.open("holiday.snapseek")` opens an existing library, and `Library.sync` updates it when its folders
have changed. docs/PYTHON.md describes the rest.

Names
-----
Library
    A folder of pictures made searchable: build, open, search, sync, export.
Hits, Hit
    The results of a search, and one result: id, score, path, size, preview, metadata.
Term
    A weighted part of a query: `[Term("horse"), Term("snow", -1)]`.
Encoder
    A model: the text and image encoders that produce the vectors.
VectorIndex
    A vector index on its own, for your own embeddings: IVF with product quantization.
SnapseekError
    The base class of all errors. `snapseek.errors` shows the tree and the fields of each error.

`snapseek.server.serve` serves a library over HTTP, with a web page. The command `snapseek --help` does all of
this from a shell. Each name is imported when it is first used, so `import snapseek` is fast.
"""

import sys

if sys.argv[:1] == ["-m"] and "snapseek" in sys.orig_argv:  # `python -m snapseek` looks for `__main__`
    from snapseek.startup import ExitOnInterrupt

    ExitOnInterrupt().__enter__()

TYPE_CHECKING = False  # of typing, which takes milliseconds to import
if TYPE_CHECKING:
    from snapseek._core import __version__
    from snapseek.errors import SnapseekError
    from snapseek.library import Hit, Hits, Library, Term
    from snapseek.models import Encoder
    from snapseek.vectors.index import VectorIndex

__all__ = ["Encoder", "Hit", "Hits", "Library", "SnapseekError", "Term", "VectorIndex", "__version__"]

_MODULE_OF = {
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
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'snapseek' has no attribute {name!r}")
    from importlib import import_module  # here, so that the command starts at once

    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value
