"""snapseek.server.api.bounded_json."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from snapseek.errors import InputError
from snapseek.server.api import bounded_json
from snapseek.server.api.bounded_json import MAX_JSON_BYTES, MAX_LEVELS, MAX_NODES, MAX_PICTURES, parse_object
from snapseek.server.api.terms import MAX_PICTURE_BYTES, picture_bytes


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (b"", "something else at character 1"),
        (b"[1]", "a list"),
        (b"null", "null"),
        (b"true", "true or false"),
        (b"7", "a number"),
        (b'"a"', "a string"),
        (b'{"a": NaN}', "NaN, which is not JSON"),
        (b'{"a": -Infinity}', "-Infinity, which is not JSON"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "limit"),
        (b"\xff\xfe\xfd", "bytes that are not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "bytes that are not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "something else at character"),
        (b'{"a": "\\ud800"}', "a lone surrogate"),
        (b'{"a": ' * 100_000, "one with more"),
        (b'{"a":' + b"[" * MAX_LEVELS, "one with more"),
    ],
)
def test_anything_but_an_object_is_refused(data: bytes, got: str):
    with pytest.raises(InputError, match=f"expected a JSON object .*in the body, got .*{got}"):
        parse_object(data)


def test_just_below_every_bound():
    levels = b'{"a":' + b"[" * (MAX_LEVELS - 1) + b"]" * (MAX_LEVELS - 1) + b"}"
    assert list(parse_object(levels)) == ["a"]
    many = b'{"a":[' + b",".join([b"1"] * (MAX_NODES - 2)) + b"]}"
    assert len(parse_object(many)["a"]) == MAX_NODES - 2
    long = b'{"a":"' + b"x" * (MAX_JSON_BYTES - 8) + b'"}'
    assert len(parse_object(long)["a"]) == MAX_JSON_BYTES - 8


def test_just_above_them():
    with pytest.raises(InputError, match=f"at most {MAX_NODES} values"):
        parse_object(b'{"a":[' + b",".join([b"1"] * MAX_NODES) + b"]}")
    with pytest.raises(HTTPException) as refused:
        parse_object(b'{"a":"' + b"x" * (MAX_JSON_BYTES - 7) + b'"}')
    assert refused.value.status_code == 413


def encoded(size: int) -> str:
    return base64.b64encode(bytes(range(256)) * (size // 256)).decode()


def test_pictures_may_be_large_and_are_not_copied():
    picture = encoded(MAX_PICTURE_BYTES)
    data = json.dumps(
        {"terms": [{"image": picture, "weight": 2}, {"image": picture[:2000]}], "q": "a"}
    ).encode()
    found = parse_object(data)
    (first, second), q = found["terms"], found["q"]
    assert (first["weight"], q) == (2, "a")
    assert isinstance(first["image"], memoryview)
    assert picture_bytes(first["image"]) == base64.b64decode(picture)
    assert picture_bytes(second["image"]) == base64.b64decode(picture[:2000])


def test_escaped_slashes_and_prefixes_are_read():
    picture = encoded(4096).replace("/", "\\/")
    assert "\\/" in picture
    for prefix in ("", "data:image/png;base64,"):
        found = parse_object(f'{{"image" :\n"{prefix}{picture}"}}'.encode())
        assert picture_bytes(found["image"]) == base64.b64decode(encoded(4096))


def test_more_pictures_than_terms_are_refused():
    entry = json.dumps({"image": "A" * 2000})
    parse_object(f'{{"terms": [{",".join([entry] * MAX_PICTURES)}]}}'.encode())
    with pytest.raises(InputError, match="at most 16 pictures"):
        parse_object(f'{{"terms": [{",".join([entry] * (MAX_PICTURES + 1))}]}}'.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"q": "\\"image\\": \\"' + "A" * 3000 + '"}',
        '{"image": "' + "A" * 3000 + '\\"", "q": 1}',
        '{"q": "image", "image": "' + "A" * 3000 + '\\\\"}',
        '{"x": ["image"], "y": "' + "A" * 3000 + '"}',
    ],
)
def test_a_text_that_looks_like_a_picture_is_read_as_any_other(text: str):
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(InputError):
            parse_object(text.encode())
    else:
        assert parse_object(text.encode()) == expected


TEXTS = st.one_of(
    st.text(max_size=9), st.sampled_from(['"image":"', "\\", '\\"image"', "image", "/", "data:,"])
)
LONG = st.builds(lambda start, fill: start + fill * 2100, TEXTS, st.sampled_from(["A", "/", "\\", '"', "é"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | LONG,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("image"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS | st.just("image"), VALUES, max_size=4), st.booleans())
def test_every_object_is_what_json_says(value: dict[str, Any], is_ascii: bool):
    def plain(found: Any) -> Any:
        if isinstance(found, memoryview | bytes):
            text = bytes(found).decode()
            return json.loads(f'"{text}"')
        if isinstance(found, dict):
            return {name: plain(part) for name, part in found.items()}
        return [plain(part) for part in found] if isinstance(found, list) else found

    data = json.dumps(value, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    assert plain(parse_object(data)) == value


HOSTILE = {
    "objects": b'{"where":{"any":[' + b"{}," * 8_000_000 + b"{}]}}",
    "keys": b'{"terms":[' + b'{"image":"a"},' * 1_700_000 + b"{}]}",
    "escapes": b'{"q":"' + b'\\"' * 12_000_000,
    "short strings": b'{"q":[' + b'"",' * 349_000 + b'""]}',
    "open string": b'{"q":"' + b'\\"' * 500_000,
    "almost keys": b'{"q":"' + b'"imag' * 200_000,
    "brackets": b'{"q":' + b"[]," * 349_000,
    "digits": b'{"q":[' + (b"9" * 4000 + b",") * 260 + b"1]}",
    "commas in pictures": b'{"image":"' + b"," * 24_000_000 + b'"}',
    "base64": b'{"image":"' + b"A" * (22 * 2**20) + b'"}',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_costs_little_time(kind: str):
    began = time.process_time()
    try:
        found = parse_object(bytearray(HOSTILE[kind]))
        picture_bytes(found.get("image"))
    except (InputError, HTTPException):
        pass
    assert time.process_time() - began < 1, kind


def test_an_unescaped_secret_cannot_be_guessed(monkeypatch: pytest.MonkeyPatch):
    names: list[str] = []

    def token(size: int) -> str:
        names.append("f" * 2 * size)
        return names[-1]

    monkeypatch.setattr(bounded_json.secrets, "token_hex", token)
    picture = "A" * 2000
    found = parse_object(f'{{"q": "{"f" * 16}0", "image": "{picture}"}}'.encode())
    assert found["q"] == "f" * 16 + "0"  # only fields called image are replaced
    assert bytes(found["image"]) == picture.encode()
