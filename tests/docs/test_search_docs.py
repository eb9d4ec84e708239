"""Every query and example of docs/SEARCH.md works."""

import re
from pathlib import Path

import pytest

from snapseek.library.filters.ast import OPERATORS
from snapseek.library.filters.parser import _OPERATORS, parse_filter
from snapseek.library.filters.typecheck import typecheck
from snapseek.library.search.terms import parse
from tests.support.filtered_library import filtered_library

TEXT = (Path(__file__).parents[2] / "docs" / "SEARCH.md").read_text()


@pytest.fixture(scope="module")
def library(tmp_path_factory, encoder):
    return filtered_library(tmp_path_factory.mktemp("docs"), encoder)[0]


def rows(section):
    part = TEXT.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [line.split("|")[1].strip() for line in part.splitlines() if line.startswith("| `")]


def test_every_example_query_parses():
    for cell in rows("Words"):
        (query,) = re.findall("`([^`]+)`", cell)
        assert parse(query)


def test_every_example_filter_parses(library):
    kinds = library.snapshot().kinds
    cells = rows("Filters")
    filters = [text for cell in cells for text in re.findall("`([^`]+)`", cell)]
    assert len(filters) > 25
    for text in filters:
        tree = parse_filter(text.replace("…", "x"), kinds)
        assert tree.parts
        typecheck(tree, kinds)


def test_every_operator_is_documented():
    named = {
        re.match(r"-?(\w+):", text)[1] for cell in rows("Filters") for text in re.findall("`([^`]+)`", cell)
    }
    assert set(_OPERATORS) - named == {"megapixels"}
    for operator in OPERATORS:
        assert f"`{operator}`" in TEXT


def test_the_examples_in_python_run(library):
    (block,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    answers = [
        eval(line.replace("car", "photo"), {"library": library}) for line in block.strip().splitlines()
    ]
    assert len(answers) == 6
    assert [hit.id for hit in answers[0]] == [hit.id for hit in answers[1]]
    assert all(answers[:5])
    assert all(
        name in TEXT for name in ("newest", "oldest", "size", "dedup=True", "min_score", '"both"', '"words"')
    )
