"""snapseek.library.filters.from_mapping: filters are counted while they are read."""

from collections.abc import Sequence
from typing import Any

import pytest

from snapseek.errors import InputError
from snapseek.library.filters.from_mapping import from_mapping
from snapseek.library.filters.normal_form import MAX_NODES


class Endless(Sequence[object]):
    """A list that ends only where nobody reads on."""

    def __init__(self, part: object) -> None:
        self.part = part
        self.read = 0

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: object) -> Any:
        self.read += 1
        return self.part


@pytest.mark.parametrize("name", ["any", "all"])
@pytest.mark.parametrize(
    "part", [{}, {"any": []}, {"not": {}}, {"a": 1}, {"a": {}}, {"near": [1, 2, 3]}], ids=str
)
def test_a_filter_is_counted_while_it_is_read(name: str, part: object):
    parts = Endless(part)
    with pytest.raises(InputError, match="at most"):
        from_mapping({name: parts})
    assert parts.read <= MAX_NODES


def test_a_filter_may_have_parts_up_to_the_bound():
    from_mapping({"any": [{}] * (MAX_NODES - 2)})
    with pytest.raises(InputError, match=f"at most {MAX_NODES} parts"):
        from_mapping({"any": [{}] * MAX_NODES})


def test_the_comparisons_of_one_column_are_counted_too():
    with pytest.raises(InputError, match="at most 256 conditions"):
        from_mapping({"all": [{"a": {">": 1, "<": 9, "!=": 5}}] * 100})
