"""The one description of a search: `SearchRequest`.

Each parameter is declared here once: its type, default, bounds, choices and help. Everything else derives
from the declaration: the keyword arguments of `Library.search`, the flags of `snapseek search`, the decoding
of `GET` and `POST /api/search`, their OpenAPI description, and the entity tag of an answer. A new parameter
touches this file and the code that acts on it.

This module imports nothing heavy, so that the command line can show its help at once.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import Annotated, Any, Literal, TypedDict, get_type_hints

from snapseek.errors import InputError, OutOfRangeError, UnknownChoiceError, similar_name

SORTS = ("relevance", "newest", "oldest", "size")
MODES = ("clip", "words", "both", "auto")
MODELS = ("full", "fast")
INCLUDED = ("preview", "meta", "caption")

Kind = Literal["query", "terms", "filter", "choice", "integer", "number", "flag", "names"]


@dataclass(frozen=True)
class Parameter:
    """The declaration of one field of `SearchRequest`.

    Attributes
    ----------
    kind
        How values are read from text and JSON.
    help
        One line for people.
    choices
        The values of a choice, the default first, or the names that a list of names may hold.
    minimum
        The smallest integer.
    served_maximum, served_default
        Bounds over HTTP only, where they limit the size of an answer.
    wire_name
        The name over HTTP, if it is another than in Python.
    flags, metavar
        The flags of `snapseek search`, which does not offer a parameter without flags.
    cli_default
        The default of `snapseek search`, where people are better served by another one than programs.
    name, default
        Those of the field.
    """

    kind: Kind
    help: str
    choices: tuple[str, ...] = ()
    minimum: int = 0
    served_maximum: int | None = None
    served_default: int | None = None
    wire_name: str = ""
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    cli_default: Any = None
    name: str = ""
    default: Any = None

    @property
    def is_in_url(self) -> bool:
        """Whether `GET` takes it; terms may hold whole pictures, so they come in a body."""
        return self.kind != "terms"


@dataclass(frozen=True)
class SearchRequest:
    """What a search is for, and how its results are selected, ordered and shown.

    Parameters
    ----------
    query
        A text in the query language, or any other `Query`; None to list what `where` selects.
    terms
        Further terms, added to those of the query.
    where
        A filter as text, as a mapping or as a tree; a tuple of filters must all hold.
    sort, limit, offset, min_score, dedup, mode, exact, model, include
        As declared below.
    local_files
        Whether the query may name files of this machine, as `image:dog.jpg` does. No client can send it.

    Raises
    ------
    InputError
        A value is outside of its bounds or choices.
    """

    query: Annotated[
        Any,
        Parameter(
            "query",
            "What to search for, such as: two dogs; horse + stripes - 2:snow; id:17 + night; "
            "beach after:2023.",
            wire_name="q",
        ),
    ] = None
    terms: Annotated[tuple[Any, ...], Parameter("terms", "Further terms, such as pictures and vectors.")] = ()
    where: Annotated[
        Any,
        Parameter(
            "filter",
            "Further filters, such as year:2019..2021 in:holiday.",
            flags=("--where",),
            metavar="FILTER",
        ),
    ] = None
    sort: Annotated[
        str, Parameter("choice", "Order of the 1,000 best results.", choices=SORTS, flags=("--sort",))
    ] = SORTS[0]
    limit: Annotated[
        int,
        Parameter(
            "integer",
            "Maximum number of results.",
            minimum=1,
            served_maximum=200,
            served_default=60,
            flags=("-k", "--limit"),
            metavar="N",
        ),
    ] = 20
    offset: Annotated[
        int,
        Parameter(
            "integer",
            "Number of results to skip.",
            served_maximum=999,
            flags=("--offset",),
            metavar="N",
        ),
    ] = 0
    min_score: Annotated[
        float | None,
        Parameter("number", "Omit results with a lower score.", flags=("--min-score",), metavar="S"),
    ] = None
    dedup: Annotated[bool, Parameter("flag", "Show near-duplicates as one result.", flags=("--dedup",))] = (
        False
    )
    mode: Annotated[
        str,
        Parameter(
            "choice",
            "clip: compare pictures with the query; words: search captions, titles, names and tags; "
            "both: join the two rankings; auto: clip, and pictures whose folder, file name, caption, "
            "title or tags have a word of the query.",
            choices=MODES,
            flags=("--mode",),
            cli_default="auto",
        ),
    ] = MODES[0]
    exact: Annotated[
        bool, Parameter("flag", "Score every picture, in a large library too.", flags=("--exact",))
    ] = False
    model: Annotated[
        str,
        Parameter(
            "choice",
            "full: the model of the library; fast: its distilled text model, if there is one.",
            choices=MODELS,
            flags=("--model",),
        ),
    ] = MODELS[0]
    include: Annotated[
        tuple[str, ...], Parameter("names", "Optional fields of each result.", choices=INCLUDED)
    ] = INCLUDED
    local_files: bool = True

    def __post_init__(self) -> None:
        for parameter in PARAMETERS.values():
            _check(parameter, getattr(self, parameter.name))
        if self.min_score is not None and self.mode == "words":
            raise InputError(
                expected="min_score with mode clip or both", got="mode words, which has no such score"
            )

    @property
    def end(self) -> int:
        """The rank after the last result of this page."""
        return self.offset + self.limit


class SearchOptions(TypedDict, total=False):
    """The keyword arguments of `Library.search` next to `query` and `limit`."""

    terms: tuple[Any, ...]
    where: Any
    sort: str
    offset: int
    min_score: float | None
    dedup: bool
    mode: str
    exact: bool
    model: str
    include: tuple[str, ...]


def _declared() -> dict[str, Parameter]:
    hints = get_type_hints(SearchRequest, include_extras=True)
    found = {}
    for entry in fields(SearchRequest):
        for declaration in getattr(hints[entry.name], "__metadata__", ()):
            wire_name = declaration.wire_name or entry.name
            found[entry.name] = replace(
                declaration, name=entry.name, default=entry.default, wire_name=wire_name
            )
    return found


PARAMETERS: Mapping[str, Parameter] = _declared()
"""Every parameter by its name in Python, in the order of declaration."""


def _check(parameter: Parameter, value: Any) -> None:
    """Raise InputError for a value outside of the bounds that hold everywhere."""
    name = parameter.name
    if parameter.kind == "integer":
        if not isinstance(value, Integral) or value < parameter.minimum:
            expected = f"{name} to be an integer of {parameter.minimum} or more"
            raise OutOfRangeError(expected=expected, got=repr(value))
    elif parameter.kind == "number":
        if value is not None and not math.isfinite(value):
            raise OutOfRangeError(expected=f"{name} to be a finite number such as 0.25", got=repr(value))
    elif parameter.kind == "choice":
        check_choice(name, value, parameter.choices)
    elif parameter.kind == "names":
        for entry in value:
            check_choice(name, entry, parameter.choices)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise UnknownChoiceError unless `value` is one of `choices`."""
    if value not in choices:
        near = similar_name(value, choices) if isinstance(value, str) else None
        raise UnknownChoiceError(
            expected=f"{name} to be one of {', '.join(choices)}",
            got=f"{value!r:.60}",
            hint=f"did you mean {near}?" if near else None,
        )
