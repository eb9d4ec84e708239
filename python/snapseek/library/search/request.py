"""What is asked of a library, checked before anything is looked at."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Literal, get_args

from snapseek.errors import InputError
from snapseek.library.filters.ast import And, Condition, GeoWithin, Not, Or, Tree
from snapseek.library.filters.from_mapping import from_mapping
from snapseek.library.filters.parser import parse_filter, parse_query
from snapseek.library.filters.typecheck import STANDARD, Kinds, typecheck
from snapseek.library.search.terms import MAX_QUERY_CHARACTERS, Query, Term, terms_of

Where = str | Mapping[str, Any] | Tree | tuple[Any, ...]
"""A filter as text, as a mapping or as a tree; a tuple of such is for pictures that match all of them."""

Sort = Literal["relevance", "newest", "oldest", "size"]
Mode = Literal["clip", "words", "both"]


@dataclass(frozen=True)
class ResolvedRequest:
    """A request as one library understands it: `tree` is resolved, None where all pictures may be found."""

    terms: tuple[Term, ...]
    filters: tuple[str, ...]
    tree: Tree | None

    @property
    def words(self) -> str:
        """The words that are wanted, without those that are not."""
        return " ".join(
            term.subject for term in self.terms if isinstance(term.subject, str) and term.weight > 0
        )


@dataclass(frozen=True)
class SearchRequest:
    """The arguments of `Library.search`, which describes them. Raises InputError for those out of bounds."""

    query: Query | None = None
    k: int = 20
    offset: int = 0
    exact: bool = False
    where: Where | None = None
    sort: str = "relevance"
    min_score: float | None = None
    fold: bool = False
    mode: str = "clip"

    def __post_init__(self) -> None:
        _check_least("k", self.k, 1)
        _check_least("offset", self.offset, 0)
        _check_choice("sort", self.sort, get_args(Sort))
        _check_choice("mode", self.mode, get_args(Mode))
        if self.min_score is not None and not math.isfinite(self.min_score):
            raise InputError(f"expected min_score to be a number such as 0.25, found {self.min_score}")
        if self.min_score is not None and self.mode == "words":
            raise InputError("expected min_score with mode clip or both: words alone have no such score")

    @property
    def end(self) -> int:
        """How many pictures of the ranking are needed."""
        return self.offset + self.k

    @property
    def is_plain(self) -> bool:
        """Whether the ranking by score is the answer as it is."""
        plain = (self.sort, self.mode, self.min_score) == ("relevance", "clip", None)
        return plain and not self.fold

    @property
    def is_only_folded(self) -> bool:
        """Whether the answer is the ranking by score, folded."""
        return self.fold and replace(self, fold=False).is_plain

    def read(self, kinds: Kinds) -> ResolvedRequest:
        """Terms and filters for a library with columns of these kinds.

        Raises InputError for what is malformed or does not fit the library, and for a request without any
        words, terms or filters.
        """
        trees: list[Tree] = []
        filters: tuple[str, ...] = ()
        query = self.query
        if isinstance(query, str):
            query, filters, typed = _typed(query, {*kinds})
            trees += [typed] if typed is not None else []
        if self.where is not None:
            trees.append(tree_from(self.where, {*STANDARD, *kinds}))
        is_empty = query is None or (isinstance(query, str) and not query.strip())
        terms = () if is_empty and trees else tuple(terms_of("" if query is None else query))
        return ResolvedRequest(terms, filters, _resolved(trees, kinds))

    def read_filters(self, kinds: Kinds) -> ResolvedRequest:
        """What `where` alone says: nothing is to be ranked."""
        trees = [] if self.where is None else [tree_from(self.where, {*STANDARD, *kinds})]
        return ResolvedRequest((), (), _resolved(trees, kinds))


def _check_least(name: str, value: object, least: int) -> None:
    if not isinstance(value, Integral) or value < least:
        raise InputError(f"expected a whole {name} of at least {least}, found {value!r}")


def _resolved(trees: list[Tree], kinds: Kinds) -> Tree | None:
    tree = typecheck(And(tuple(trees)), kinds)
    return None if tree == And(()) else tree


def _typed(query: str, columns: set[str]) -> tuple[str, tuple[str, ...], Tree | None]:
    """Words, filters as text, and as a tree. A query that is too long is left to the terms to refuse."""
    if len(query.strip()) > MAX_QUERY_CHARACTERS:
        return query, (), None
    found = parse_query(query, columns)
    return (found.words, found.filters, found.tree) if found.filters else (query, (), None)


def tree_from(where: Where, columns: set[str]) -> Tree:
    """The tree of a filter, however it is written. Raises InputError for a malformed one."""
    if isinstance(where, str):
        return parse_filter(where, columns)
    if isinstance(where, Mapping):
        return from_mapping(where)
    if isinstance(where, Condition | GeoWithin | And | Or | Not):
        return where
    if isinstance(where, tuple):
        return And(tuple(tree_from(part, columns) for part in where))
    raise InputError(f"expected a filter as text or as a mapping, found {type(where).__name__}")


def _check_choice(name: str, found: str, choices: tuple[str, ...]) -> None:
    if found not in choices:
        raise InputError(f"expected {name} to be one of {', '.join(choices)}, found {found!r:.40}")
