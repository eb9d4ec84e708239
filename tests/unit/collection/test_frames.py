"""Messages: what is encoded is decoded, and no other bytes are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapseek.collection.frames import Frame
from snapseek.errors import ParseError

FRAME = Frame(
    {"op": "rank", "k": 3, "words": "ä\ud800"},
    {
        "ids": np.arange(5, dtype=np.int64),
        "scores": np.zeros(0, np.float32),
        "vectors": np.ones((2, 3), np.float32),
        "bits": np.array([1, 255], np.uint8),
    },
)


def test_a_message_is_decoded_as_it_was_encoded():
    found = Frame.decode(FRAME.encode())
    assert found.fields == FRAME.fields
    assert list(found.arrays) == list(FRAME.arrays)
    for name, array in FRAME.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert np.array_equal(found.arrays[name], array)


def test_a_message_with_another_array_has_the_same_fields():
    other = FRAME.with_array("ids", np.arange(2, dtype=np.int64))
    assert Frame.decode(other.encode()).fields == FRAME.fields
    assert len(other.arrays["ids"]) == 2
    assert len(FRAME.arrays["ids"]) == 5


@pytest.mark.parametrize("end", range(0, len(FRAME.encode()), 7))
def test_a_message_that_is_cut_is_refused(end):
    with pytest.raises(ParseError):
        Frame.decode(FRAME.encode()[:end])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SNPF", b"SNPX"),
        (b"<i8", b"|O8"),
        (b"[5]", b"[6]"),
        (b"[5]", b"-55"),
        (b"[2,3]", b"[2,9]"),
        (b'"ids"', b"77777"),
        (b'{"op"', b'["op"'),
    ],
)
def test_a_message_with_another_layout_is_refused(old, new):
    data = FRAME.encode()
    assert old in data
    with pytest.raises(ParseError):
        Frame.decode(data.replace(old, new, 1))


@given(st.binary(max_size=200), st.integers(0, 150))
def test_random_bytes_raise_nothing_but_parse_errors(noise, start):
    data = FRAME.encode()
    for candidate in (noise, b"SNPF" + noise, data[:start] + noise + data[start + len(noise) :]):
        try:
            Frame.decode(candidate)
        except ParseError:
            continue
