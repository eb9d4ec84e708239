"""The wording of every error that carries fields: what was expected, what was got, how to fix it."""

import argparse
import threading
from pathlib import Path

import numpy as np
import pytest
from starlette.datastructures import QueryParams

from snapseek import errors
from snapseek.cli import distil, index
from snapseek.distil import distillation
from snapseek.images import open_image
from snapseek.library.export import kind_of as export_kind
from snapseek.library.filters.from_mapping import from_mapping
from snapseek.library.filters.parser import parse_filter
from snapseek.library.paths import find_library
from snapseek.library.storage.database import Database
from snapseek.library.storage.owned_files import check_directory
from snapseek.library.watch import bursts
from snapseek.models import Encoder
from snapseek.models.hub.layout import choose_layout
from snapseek.models.hub.resolve import pull_model
from snapseek.search_request import SearchRequest
from snapseek.server import run
from snapseek.server.api.search_request import request_from_body, request_from_url
from snapseek.sources.http.url_policy import checked_url
from snapseek.threads import resolve_threads
from snapseek.vectors.arguments import memory_limit
from snapseek.vectors.calibration import CalibrationPoint, resolve_effort
from snapseek.vectors.index import VectorIndex
from tests.support.vector_rows import DIM, LISTS, unit_rows

POINTS = [CalibrationPoint(0.9, 5, 50)]
ROWS = unit_rows(20)


def flat(**settings):
    return VectorIndex.build(ROWS, **settings)


def not_finite():
    queries = unit_rows(3)
    queries[1, 2] = np.inf
    return VectorIndex.build(ROWS, queries)


def foreign_filter():
    lists = VectorIndex.build(unit_rows(400), **LISTS)
    lists.search(ROWS, allow=flat().filter(np.ones(20, np.bool_)))


def single_text():
    Encoder.load("starter").embed_texts("a dog")


def options(**given):
    return argparse.Namespace(**given)


WORDING = [
    (
        single_text,
        errors.ArrayError,
        "expected a list of texts, got a single text; put it in a list, ['a dog']",
    ),
    (
        lambda: Encoder.load("openclip-vit-b32"),
        errors.ModelError,
        "expected a model: 'starter' or a directory with one, a name that `snapseek models` lists, or "
        "owner/name of the hub, got no directory 'openclip-vit-b32'; did you mean openclip-vit-b-32?",
    ),
    (
        lambda: Encoder.load("CLIP"),
        errors.ModelError,
        "expected a model: 'starter' or a directory with one, a name that `snapseek models` lists, or "
        "owner/name of the hub, got no directory 'CLIP'; did you mean clip-vit-b-32, clip-vit-b-32-int8 or "
        "clip-multilingual?",
    ),
    (
        lambda: pull_model("siglip2"),
        errors.InputError,
        "expected a name that `snapseek models` lists, or owner/name of the hub, got 'siglip2'; did you mean "
        "siglip2-vit-b-32-256, siglip2-vit-b-32-256-q4 or siglip2-vit-b-16-256?",
    ),
    (
        lambda: choose_layout(["pytorch_model.bin"]),
        errors.ModelError,
        "expected an ONNX graph, got pytorch_model.bin, a pickle that runs arbitrary code when it is loaded; "
        "use an ONNX export of the model",
    ),
    (
        lambda: checked_url("ftp://example.org/a.jpg"),
        errors.InputError,
        "expected a URL that begins with http:// or https://, got 'ftp://example.org/a.jpg'",
    ),
    (
        lambda: open_image(Path(__file__).parent),
        errors.PictureError,
        "expected a file, got a folder",
    ),
    (
        lambda: distillation.Plan(layers=9).check(),
        errors.OutOfRangeError,
        "expected 2, 3 or 4 layers, got 9",
    ),
    (
        lambda: resolve_effort(POINTS, "hihg"),
        errors.UnknownChoiceError,
        "expected effort as a recall or one of low, medium, high, max, got 'hihg'; did you mean high?",
    ),
    (
        lambda: resolve_effort(POINTS, [0.9]),
        errors.UnknownChoiceError,
        "expected effort as a recall or one of low, medium, high, max, got [0.9]",
    ),
    (
        lambda: resolve_effort(POINTS, 1.1),
        errors.OutOfRangeError,
        "expected effort as a recall above 0, up to 1, got 1.1",
    ),
    (
        lambda: SearchRequest("dog", sort="newst"),
        errors.UnknownChoiceError,
        "expected sort to be one of relevance, newest, oldest, size, got 'newst'; did you mean newest?",
    ),
    (
        lambda: SearchRequest("dog", limit=0),
        errors.OutOfRangeError,
        "expected limit to be an integer of 1 or more, got 0",
    ),
    (
        lambda: request_from_url(QueryParams("limit=1000")),
        errors.OutOfRangeError,
        "expected limit to be an integer from 1 to 200, got 1000",
    ),
    (
        lambda: request_from_body({"limt": 5}),
        errors.ParseError,
        'expected a known field, got "limt"; known: q, terms, where, sort, limit, offset, min_score, '
        "dedup, mode, exact, model, include",
    ),
    (
        lambda: parse_filter("year:2020 dogs", ()),
        errors.ParseError,
        "expected filters such as year:2020 or -tag:draft, got 'dogs'; known: after, before, camera, "
        "caption, country, date, has, in, is, megapixels, name, near, orientation, place, size, tag, title, "
        "type, year",
    ),
    (
        lambda: from_mapping({"year": {"~": 3}}),
        errors.UnknownChoiceError,
        "expected one of = != < <= > >= in contains prefix within exists after the column 'year', got '~'",
    ),
    (
        lambda: resolve_threads(0),
        errors.OutOfRangeError,
        "expected threads of 1 or more, got 0; leave it out to use all cores",
    ),
    (
        lambda: memory_limit("100 rows"),
        errors.ParseError,
        "expected memory as bytes or a size such as '800MB' or '1.5GiB', got '100 rows'",
    ),
    (
        lambda: VectorIndex.open("a.snap", load="disk"),
        errors.UnknownChoiceError,
        "expected load to be 'map' or 'ram', got 'disk'",
    ),
    (
        lambda: VectorIndex.open("/a\0b"),
        errors.InputError,
        "expected a path that a file can have, got '/a\\x00b': embedded null byte",
    ),
    (
        lambda: VectorIndex.build([[1.0]]),
        errors.ArrayError,
        "expected vectors to be an array of shape (n, dim), got list",
    ),
    (
        lambda: VectorIndex.build(ROWS, unit_rows(3, 25)),
        errors.ArrayError,
        f"expected queries of shape (q, {DIM}), the dimension of the vectors, got shape (3, 25)",
    ),
    (
        lambda: VectorIndex.build(ROWS, ROWS.astype(np.float64)),
        errors.ArrayError,
        "expected queries to be a NumPy array of float16 or float32, got an array of float64",
    ),
    (
        not_finite,
        errors.NonFiniteError,
        "expected finite values in queries, got inf at row 1, column 2; "
        "remove the rows that hold NaN or infinity",
    ),
    (
        lambda: flat().search([0.5]),
        errors.ArrayError,
        "expected queries to be a NumPy array of float16 or float32, got list; "
        "convert them with numpy.asarray(x, dtype=numpy.float32)",
    ),
    (
        foreign_filter,
        errors.WrongIndexError,
        "expected a filter of this index as allow, got one of another index; "
        "make it with the filter method of this index",
    ),
    (
        lambda: flat().filter([True], by_row=True),
        errors.ArrayError,
        "expected allow to be an array of flags by row, got list",
    ),
    (
        lambda: flat().filter(np.ones(19, np.bool_), by_row=True),
        errors.ArrayError,
        "expected allow to hold one flag for each of 20 rows, got an array of bool, shape (19,)",
    ),
    (
        lambda: flat().search(ROWS, allow=np.ones(20)),
        errors.ArrayError,
        "expected allow of shape (n,), as bool flags by id, uint8 bits by id, or int64 ids, "
        "got float64 of shape (20,)",
    ),
    (
        lambda: flat().search(ROWS, allow=np.ones(19, np.bool_)),
        errors.ArrayError,
        "expected allow to hold one flag for each of the 20 ids from 0, got 19 flags",
    ),
    (
        lambda: flat(ids=np.arange(-1, 19)).search(ROWS, allow=np.ones(19, np.bool_)),
        errors.ArrayError,
        "expected allow as ids, since flags start at id 0, got flags for an index with id -1; "
        "pass the allowed ids as int64",
    ),
    (
        lambda: flat().vectors([3, -1]),
        errors.OutOfRangeError,
        "expected rows from 0 to 19, got -1",
    ),
    (
        lambda: flat().vectors([[1], [1, 2]]),
        errors.ArrayError,
        "expected row numbers or ids of shape (n,), got nested lists",
    ),
    (
        lambda: flat().vectors([1.5]),
        errors.ArrayError,
        "expected row numbers or ids that are integers, got an array of float64",
    ),
    (
        lambda: flat().vectors(np.array([2**63], np.uint64)),
        errors.OutOfRangeError,
        "expected row numbers or ids below 2^63, got 9223372036854775808",
    ),
    (
        lambda: flat(seed=-1),
        errors.OutOfRangeError,
        "expected seed from 0 to 2^63 - 1, got -1",
    ),
    (
        lambda: run.check_access("0.0.0.0", None),
        errors.MissingArgumentError,
        "expected a token, because other machines can reach 0.0.0.0, got no token; "
        "set SNAPSEEK_TOKEN or pass --token; with --insecure anyone can view every picture",
    ),
    (
        lambda: run.check_access("127.0.0.1", "short"),
        errors.InputError,
        "expected a token of at least 16 ASCII characters without spaces, got 5 characters; "
        "create one with: python -c 'import secrets; print(secrets.token_urlsafe())'",
    ),
    (
        lambda: run.open_port("127.0.0.1", 65_536),
        errors.OutOfRangeError,
        "expected a port from 0 to 65535, got 65536",
    ),
    (
        lambda: run.open_port("192.0.2.1", 0),
        errors.InputError,
        "expected an address of this machine, got 192.0.2.1; use 127.0.0.1 for this machine only",
    ),
    (
        lambda: index.build_library([Path("a"), Path("b")], None, options()),
        errors.MissingArgumentError,
        "expected --library L if several folders are indexed into one library, got 2 folders without it; "
        "pass --library L, or index one folder at a time",
    ),
    (
        lambda: distil.run(options(out=None, library=None)),
        errors.MissingArgumentError,
        "expected --out DIR or --library L, got neither; pass the folder to write the student to",
    ),
    (
        lambda: find_library(Path("/nowhere")),
        errors.LibraryNotFoundError,
        "expected a library at /nowhere, got none; create one with: snapseek index FOLDER --library /nowhere",
    ),
    (
        lambda: Database.open(Path("/nowhere")),
        errors.LibraryNotFoundError,
        "expected a library at /nowhere, got none; create one with: snapseek index FOLDER --library /nowhere",
    ),
    (
        lambda: check_directory(Path(__file__)),
        errors.StorageError,
        f"expected {__file__} to be a directory of the library, got another kind of file; "
        "nothing is written or removed there: move it away, or use another library",
    ),
    (
        lambda: export_kind("pictures.txt", None),
        errors.UnknownChoiceError,
        "expected a format of csv, json, jsonl, parquet, npy, got 'txt'",
    ),
    (
        lambda: bursts([], Path("/nowhere"), threading.Event()),
        errors.InputError,
        "expected a folder to watch, got none that exists",
    ),
]


@pytest.mark.parametrize(
    ("call", "kind", "message"), WORDING, ids=[message[:70] for _, _, message in WORDING]
)
def test_the_message_is_made_of_the_fields(call, kind, message):
    with pytest.raises(errors.SnapseekError) as caught:
        call()
    error = caught.value
    assert type(error) is kind
    assert str(error) == message
    assert error.expected
    assert error.got
    assert str(error) == f"expected {error.expected}, got {error.got}" + (
        f"; {error.hint}" if error.hint else ""
    )
