"""A search as one library understands it: `ResolvedRequest`, made from a `SearchRequest`."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from snapseek.errors import InputError, ParseError, UnknownChoiceError, similar_name
from snapseek.library.filters.ast import And, Condition, GeoWithin, Not, Or, Tree
from snapseek.library.filters.from_mapping import from_mapping
from snapseek.library.filters.parser import parse_filter, parse_query
from snapseek.library.filters.typecheck import CONCEPT, STANDARD, Kinds, typecheck
from snapseek.library.search.terms import MAX_QUERY_CHARACTERS, MAX_TERMS, Query, Term, terms_of
from snapseek.library.search.unfinished import Unfinished, without_unfinished_end
from snapseek.search_request import SearchRequest

Where = str | Mapping[str, Any] | Tree | tuple[Any, ...]
"""A filter as text, as a mapping or as a tree; a tuple of filters must all hold."""


@dataclass(frozen=True)
class ResolvedRequest:
    """A request parsed and typed against the columns of one library.

    Parameters
    ----------
    request
        The request itself: the options of ranking and paging.
    terms
        The terms of the query vector; empty where the matching pictures are only listed.
    filters
        The filters that were parsed out of a typed query, as text.
    tree
        All filters, typed and normalized; None where every picture matches.
    unfinished
        The end of a typed query that cannot count yet.
    """

    request: SearchRequest
    terms: tuple[Term, ...]
    filters: tuple[str, ...]
    tree: Tree | None
    unfinished: Unfinished | None = None

    @classmethod
    def of(
        cls,
        request: SearchRequest,
        kinds: Kinds,
        *,
        concepts: Collection[str] = (),
        may_be_empty: bool = False,
    ) -> Self:
        """Resolve a request for a library with columns of these kinds, and concepts of these keys.

        Raises
        ------
        InputError
            The query or a filter is malformed or does not fit the library; the query names a file that the
            request may not open; or there is neither a term nor a filter and the request may not be empty.
        """
        answered, unfinished = request.query, None
        if isinstance(request.query, str):
            answered, unfinished = without_unfinished_end(
                request.query, {*kinds}, partial(_check, kinds=kinds, concepts=concepts), concepts
            )
        terms, filters, typed = _split(answered, kinds)
        trees = [] if typed is None else [typed]
        if request.where is not None:
            trees.append(tree_from(request.where, {*STANDARD, *kinds}))
        terms += request.terms
        if not (terms or trees or may_be_empty or unfinished):
            raise ParseError(expected="a query, terms or filters", got="none", hint="enter at least one word")
        if len(terms) > MAX_TERMS:
            raise ParseError(expected=f"1 to {MAX_TERMS} terms", got=str(len(terms)))
        if not request.local_files and any(isinstance(term.subject, Path) for term in terms):
            raise InputError(
                expected="a query that names no file",
                got="image:",
                hint='use id: for a picture of the library, or quote the words, as in "image:dog"',
            )
        return cls(request, terms, filters, _typed(trees, kinds, concepts), unfinished)

    @property
    def mode(self) -> str:
        """What ranks the results: `clip`, `words`, `both` or `auto`."""
        return self.request.mode

    @property
    def words(self) -> str:
        """The words of all terms with a positive weight."""
        return " ".join(
            term.subject for term in self.terms if isinstance(term.subject, str) and term.weight > 0
        )

    @property
    def concepts(self) -> tuple[str, ...]:
        """The keys of the concepts in the filters."""
        return () if self.tree is None else tuple(dict.fromkeys(_concepts_in(self.tree)))

    @property
    def encoded_texts(self) -> list[str]:
        """The texts that the text tower must embed."""
        return [] if self.mode == "words" else [t.subject for t in self.terms if isinstance(t.subject, str)]

    @property
    def is_ranked_by_score(self) -> bool:
        """Whether results come in the order of their scores, near-duplicates and words aside."""
        is_plain = self.request.sort == "relevance" and self.request.min_score is None
        return is_plain and self.mode in ("clip", "auto")


def tree_from(where: Where, columns: set[str]) -> Tree:
    """Return the tree of a filter, however it is written. Raises InputError for a malformed one."""
    if isinstance(where, str):
        return parse_filter(where, columns)
    if isinstance(where, Mapping):
        return from_mapping(where)
    if isinstance(where, Condition | GeoWithin | And | Or | Not):
        return where
    if isinstance(where, tuple):
        return And(tuple(tree_from(part, columns) for part in where))
    raise ParseError(expected="a filter as text or as a mapping", got=type(where).__name__)


def _split(query: Query | None, kinds: Kinds) -> tuple[tuple[Term, ...], tuple[str, ...], Tree | None]:
    """Return the terms of a query, its filters as text, and their tree."""
    if query is None:
        return (), (), None
    if not isinstance(query, str):
        return tuple(terms_of(query)), (), None
    if len(query.strip()) > MAX_QUERY_CHARACTERS:
        terms_of(query)  # which refuses it
    found = parse_query(query, {*kinds})
    words = found.words if found.filters else query
    return (tuple(terms_of(words)) if words.strip() else ()), found.filters, found.tree


def _check(query: str, kinds: Kinds, concepts: Collection[str]) -> None:
    """Raise InputError for a typed query that is malformed or does not fit the library."""
    typed = _split(query, kinds)[2]
    _typed([] if typed is None else [typed], kinds, concepts)


def _typed(trees: list[Tree], kinds: Kinds, concepts: Collection[str]) -> Tree | None:
    if not trees:
        return None
    tree = typecheck(And(tuple(trees)), kinds)
    for key in _concepts_in(tree):
        if key not in concepts:
            raise unknown_concept(key, concepts)
    return None if tree == And(()) else tree


def _concepts_in(tree: Tree) -> Iterator[str]:
    """Yield the keys of the concepts in a typed tree."""
    if isinstance(tree, Condition) and tree.column == CONCEPT:
        yield str(tree.value)
    parts = tree.parts if isinstance(tree, And | Or) else (tree.part,) if isinstance(tree, Not) else ()
    for part in parts:
        yield from _concepts_in(part)


def unknown_concept(name: str, known: Collection[str]) -> UnknownChoiceError:
    """Return the error for a name that no concept has."""
    near = similar_name(name, tuple(known))
    hint = "teach it with: snapseek teach NAME ID..."
    if known:
        hint = f"did you mean {near}?" if near else f"known: {', '.join(sorted(known)[:20])}"
    return UnknownChoiceError(expected="the name of a taught concept", got=f"{name!r:.70}", hint=hint)
