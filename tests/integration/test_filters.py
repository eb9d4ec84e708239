from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snapseek.errors import InputError
from snapseek.library.columns.column_store import ColumnStore
from snapseek.library.filters.ast import OPERATORS, And, Condition, GeoWithin, Not, Or
from snapseek.library.filters.from_mapping import from_mapping
from snapseek.library.filters.parser import _OPERATORS, parse_filter
from snapseek.library.filters.typecheck import typecheck
from snapseek.library.records.arrow_file import SCHEMA, Records, RecordWriter
from snapseek.library.records.record_schema import record_schema
from snapseek.library.storage.selection import mask_of
from tests.support.filter_oracle import holds

OWN = {
    "licence": pa.string(),
    "rating": pa.int8(),
    "aesthetic": pa.float32(),
    "public": pa.bool_(),
    "created": pa.date32(),
    "note": pa.dictionary(pa.int8(), pa.string()),
}
TEXTS = ["", "Été à la mer", "red gate", "Red-gates!", "a gate, red", "IMG_20.jpg", "20", "東京の海", "red"]
FOLDERS = ["", "holiday", "Holiday/beach", "2019/holiday", "holidays", "2019"]
MOMENTS = [datetime(2019, 12, 31, 23, 59, 59, 999999, UTC), datetime(2020, 1, 1, tzinfo=UTC)]
MOMENTS += [datetime(2020, 2, 29, 12, tzinfo=UTC), datetime(2023, 6, 1, 8, 30, tzinfo=UTC)]
KINDS = ["jpeg", "png", "webp"]
TAGS = ["beach", "Beach", "draft", "été", "red gate"]
LICENCES = ["CC0", "cc0", "CC BY", "all rights"]


def maybe(strategy):
    return st.one_of(st.none(), strategy)


RECORDS = st.fixed_dictionaries(
    {
        "id": st.just(0),
        "uri": st.just(""),
        "width": st.sampled_from([0, 1, 1000, 2000, 40_000]),
        "height": st.sampled_from([0, 1, 1000, 1500, 60_000]),
        "color": st.just("#808080"),
        "preview": st.just(b""),
        "caption": maybe(st.sampled_from(TEXTS)),
        "name": maybe(st.sampled_from(TEXTS)),
        "folder": maybe(st.sampled_from(FOLDERS)),
        "size_bytes": maybe(st.sampled_from([0, 499_999, 500_000, 2**40])),
        "modified": maybe(st.sampled_from(MOMENTS)),
        "kind": maybe(st.sampled_from(KINDS)),
        "taken": maybe(st.sampled_from(MOMENTS)),
        "camera": maybe(st.sampled_from(["FUJIFILM X100V", "X100", "Canon EOS 5D"])),
        "latitude": maybe(st.sampled_from([48.85, 48.86, 0.0, -90.0])),
        "longitude": maybe(st.sampled_from([2.35, 2.36, 179.99, -179.99])),
        "tags": maybe(st.lists(maybe(st.sampled_from(TAGS)), max_size=3)),
        "title": maybe(st.sampled_from(TEXTS)),
        "taken_offset_minutes": maybe(st.sampled_from([0, 60, -330, 840])),
        "taken_from": maybe(st.sampled_from(["exif", "file name"])),
        "licence": maybe(st.sampled_from(LICENCES)),
        "rating": maybe(st.integers(-128, 127)),
        "aesthetic": maybe(st.sampled_from([0.5, -1.25, 7.0, float("nan")])),
        "public": maybe(st.booleans()),
        "created": maybe(st.sampled_from([moment.date() for moment in MOMENTS])),
        "note": maybe(st.sampled_from(TEXTS)),
    }
)
ORDERED = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
DATES = st.sampled_from(["2019", "2020", "2020-01", "2020-02-29", "2019-12-31", "2023-06-01"])
NUMBERS = st.sampled_from([0, 1, 1000, 0.5, -1.25, 7, 500_000, 2**40, 2**70, -(2**70), 127, -128.5, 1e20])
WORDS = st.sampled_from(["red gate", "RED", "gate", "doo*", "ete", "20", "海", "nothing", "red d*", "à la"])


def condition(columns, operators, values):
    return st.builds(Condition, st.sampled_from(columns), operators, values)


def listed(values):
    return st.lists(values, max_size=3).map(tuple)


TEXT_COLUMNS = ["caption", "name", "title", "licence", "note", "kind", "camera", "tags", "tag"]
CONDITIONS = st.one_of(
    condition(["rating", "aesthetic", "width", "size_bytes", "pixels", "megapixels"], ORDERED, NUMBERS),
    condition(["rating", "width", "aesthetic"], st.just("in"), listed(NUMBERS)),
    condition(["taken", "modified", "created", "date"], ORDERED, DATES),
    condition(["date", "created"], st.just("in"), listed(DATES)),
    condition(["year"], ORDERED, st.integers(2018, 2024)),
    condition(TEXT_COLUMNS, st.sampled_from(["=", "!=", "prefix"]), st.sampled_from(TEXTS + TAGS + LICENCES)),
    condition(["licence", "note", "caption", "tags"], st.just("in"), listed(st.sampled_from(TEXTS + TAGS))),
    condition(["licence", "caption", "kind"], ORDERED, st.sampled_from(TEXTS + LICENCES)),
    condition([*TEXT_COLUMNS], st.just("contains"), WORDS),
    condition(
        ["folder"], st.just("within"), st.sampled_from(["holiday", "holiday/", "/2019", "Holiday/beach", "x"])
    ),
    condition(["public"], st.sampled_from(["=", "!="]), st.sampled_from([True, False, "yes", "0"])),
    condition(
        ["orientation"], st.sampled_from(["=", "!="]), st.sampled_from(["portrait", "landscape", "square"])
    ),
    condition([*TEXT_COLUMNS, "rating", "date", "public", "orientation"], st.just("exists"), st.booleans()),
    st.sampled_from(
        [
            GeoWithin(48.85, 2.35, 0.5),
            GeoWithin(48.85, 2.35, 5),
            GeoWithin(0, 180, 3),
            GeoWithin(-90, 0, 1),
            GeoWithin(10, 10, 20_040),
        ]
    ),
)
TREES = st.recursive(
    CONDITIONS,
    lambda parts: st.one_of(
        st.lists(parts, max_size=3).map(lambda found: And(tuple(found))),
        st.lists(parts, max_size=3).map(lambda found: Or(tuple(found))),
        parts.map(Not),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def store_of(tmp_path_factory):
    directory = tmp_path_factory.mktemp("records")
    schema = record_schema([], pa.schema(list(OWN.items())))

    def write(records):
        path = directory / f"{len(list(directory.iterdir()))}.arrow"
        writer = RecordWriter(path, schema)
        for number, record in enumerate(records):
            writer.append(record | {"id": number})
        writer.finish()
        return ColumnStore(Records(path))

    return write


def found_rows(tree, store):
    return np.flatnonzero(mask_of(typecheck(tree, store.kinds), store)).tolist()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(records=st.lists(RECORDS, max_size=12), trees=st.lists(TREES, min_size=1, max_size=6))
def test_a_filter_matches_what_the_oracle_matches(store_of, records, trees):
    store = store_of(records)
    for tree in trees:
        expected = [number for number, record in enumerate(records) if holds(tree, record)]
        assert found_rows(tree, store) == expected, tree


def rewritten(tree, order):
    """Return an equivalent filter: parts reordered and nested, conditions negated twice."""
    match tree:
        case And(parts) | Or(parts):
            kind = type(tree)
            parts = [rewritten(part, order) for part in parts]
            order.shuffle(parts)
            middle = order.randint(0, len(parts))
            return kind((*parts[:middle], kind(tuple(parts[middle:])), *parts[:1]))
        case Not(part):
            return Not(Not(Not(rewritten(part, order))))
    return Not(Not(tree))


def mirrored(tree):
    """Return an equivalent filter by De Morgan's laws."""
    match tree:
        case And(parts):
            return Not(Or(tuple(Not(mirrored(part)) for part in parts)))
        case Or(parts):
            return Not(And(tuple(Not(mirrored(part)) for part in parts)))
        case Not(part):
            return Not(mirrored(part))
    return tree


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(records=st.lists(RECORDS, max_size=8), tree=TREES, order=st.randoms())
def test_equivalent_filters_match_the_same(store_of, records, tree, order):
    store = store_of(records)
    expected = found_rows(tree, store)
    assert found_rows(rewritten(tree, order), store) == expected
    assert found_rows(mirrored(tree), store) == expected


SAME = [
    ("year:2020", {"year": 2020}, {"date": {">=": "2020", "<": "2021"}}),
    ("after:2020 before:2020-03", {"date": {">=": "2020-01-01", "<=": "2020-02"}}, "date:2020-01..2020-02"),
    ("in:holiday/", {"folder": {"within": "holiday"}}, "in:HOLIDAY"),
    ("type:jpg", {"kind": "JPEG"}, {"type": {"in": ["jpeg"]}}),
    ("type:png,webp", {"any": [{"kind": "png"}, {"kind": "webp"}]}, {"kind": ["webp", "png"]}),
    ("size:>=2mp", {"megapixels": {">=": 2}}, {"pixels": {">=": 2_000_000}}),
    ("size:<500kb", {"size_bytes": {"<": 500_000}}, "-size:>=500kb has:size_bytes"),
    ("-orientation:portrait", {"not": {"orientation": "portrait"}}, {"orientation": {"!=": "portrait"}}),
    ("camera:x100", {"camera": {"contains": "X100*"}}, 'camera:"X100"'),
    ("tag:beach -tag:draft", {"tags": "BEACH", "not": {"tag": "draft"}}, "- tag:draft tag:Beach"),
    ('caption:"red gate"', {"caption": {"contains": "Red  gate!"}}, 'caption:~"RED-gate"'),
    ("near:48.85,2.35,5km", {"near": [48.85, 2.35, 5]}, "near:48.85,2.35,5000m"),
    ("rating:>3", {"rating": {">": 3}}, {"rating": {">=": 4}}),
    ("rating:3..5", {"rating": {">=": 3, "<=": 5}}, {"rating": [3, 4, 5]}),
    ("licence:cc0", {"licence": "CC0"}, {"Licence": {"in": ["cc0", "CC0"]}}),
    ("public:yes", {"public": True}, {"not": {"any": [{"public": False}, {"public": None}]}}),
    ("-has:camera", {"camera": None}, {"camera": {"exists": False}}),
]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(records=st.lists(RECORDS, min_size=4, max_size=16))
def test_text_and_mapping_match_the_same(store_of, records):
    store = store_of(records)
    for ways in SAME:
        trees = [
            parse_filter(way, store.kinds) if isinstance(way, str) else from_mapping(way) for way in ways
        ]
        answers = [found_rows(tree, store) for tree in trees]
        assert answers[0] == answers[1] == answers[2], ways


HOSTILE = st.text(alphabet='ab:,.-+<>=~!"/ *0129eE\ud800é海', max_size=30)
NAMES = ["rating", "aesthetic", "caption", "tags", "created", "public", "note", "width", *_OPERATORS]


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(NAMES), value=HOSTILE)
def test_any_text_parses_or_is_refused(empty_store, name, value):
    for text in (f"{name}:{value}", f'-{name}:"{value}"'):
        try:
            tree = typecheck(parse_filter(text, empty_store.kinds), empty_store.kinds)
        except InputError:
            continue
        assert len(mask_of(tree, empty_store)) == 2


@settings(max_examples=200, deadline=None)
@given(
    column=st.sampled_from(["rating", "aesthetic", "caption", "tags", "created", "public", "year", "date"]),
    operator=st.sampled_from(OPERATORS),
    value=st.one_of(HOSTILE, st.floats(), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2)),
)
def test_any_mapping_parses_or_is_refused(empty_store, column, operator, value):
    try:
        tree = typecheck(from_mapping({column: {operator: value}}), empty_store.kinds)
    except InputError:
        return
    assert len(mask_of(tree, empty_store)) == 2


@pytest.fixture(scope="module")
def empty_store(store_of):
    nothing = dict.fromkeys([*SCHEMA.names, *OWN])
    core = {"uri": "", "width": 2, "height": 1, "color": "#808080", "preview": b""}
    return store_of([nothing | core, nothing | core | {"caption": "a", "rating": 1, "aesthetic": 1.0}])
