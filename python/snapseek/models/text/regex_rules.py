r"""Which regular expressions of a tokenizer may run: those that match in at most quadratic time.

* In one alternative, at most one unbounded repetition has something required after it. After the last
  required item nothing can fail, so `\s*[\r\n]+` has one such repetition, and `.*.*x` has two.
* No repeated group holds a repetition or alternatives, as `(a+)+`, `(a|a)*` and `(a?){90}` do.
* Optional items and nested alternatives multiply to at most `MAX_CHOICES`: `a?a?a?a?aaaa` tries each subset.
* No references to groups, recursion, conditions and comments.

A pattern that these rules do not understand is refused. See Davis et al., The Impact of Regular Expression
Denial of Service in Practice, 2018, for the patterns of this kind.
"""

from dataclasses import dataclass

MAX_PATTERN_CHARACTERS = 2000
MAX_REPEAT = 100
"""A repetition `{n,m}` up to this number counts as bounded."""

MAX_CHOICES = 1000
_MAX_DEPTH = 20
_NO_GROUPS = ("?(", "?~", "?#", "?x", "?&")
_NO_ESCAPES = "123456789kgcCM"


def pattern_problem(pattern: str) -> str | None:
    """Return what may take too long in a regular expression in the syntax of Oniguruma, or None."""
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        return f"a pattern of {len(pattern)} characters"
    try:
        _Scanner(pattern).check()
    except _UnsafeError as error:
        return f"{error} in {pattern[:80]!r}"
    except (IndexError, ValueError):
        return f"an unknown syntax in {pattern[:80]!r}"
    return None


class _UnsafeError(Exception):
    """The pattern breaks a rule."""


@dataclass
class _Branch:
    """One alternative, read so far. `pending` unbounded repetitions have only optional items after them."""

    backtracking: int = 0
    pending: int = 0
    choices: int = 1
    has_repeat: bool = False

    def add(self, inside: "_Group", repeat: "_Repeat") -> None:
        """Add an item with its repetition; `inside` is what the item holds if it is a group."""
        if repeat.is_required:
            self.backtracking += self.pending
            self.pending = 0
        self.backtracking += inside.backtracking
        self.pending += repeat.is_unbounded or inside.pending
        self.choices *= inside.choices * repeat.choices
        self.has_repeat = self.has_repeat or repeat.is_open or inside.has_repeat
        if self.backtracking > 1:
            raise _UnsafeError("several unbounded repetitions in a row")
        if self.choices > MAX_CHOICES:
            raise _UnsafeError("too many optional items")


@dataclass(frozen=True)
class _Group:
    """The worst of the alternatives of a group."""

    backtracking: int = 0
    pending: int = 0
    choices: int = 1
    has_repeat: bool = False
    has_alternatives: bool = False


@dataclass(frozen=True)
class _Repeat:
    """What follows an item: nothing, or one of `? * + {n,m}`."""

    minimum: int = 1
    maximum: int = 1

    @property
    def is_unbounded(self) -> bool:
        return self.maximum > MAX_REPEAT

    @property
    def is_required(self) -> bool:
        return self.minimum > 0

    @property
    def is_open(self) -> bool:
        return self.minimum != self.maximum

    @property
    def choices(self) -> int:
        return 1 if self.is_unbounded else self.maximum - self.minimum + 1


_UNBOUNDED = MAX_REPEAT + 1
_SIGNS = {"?": _Repeat(0, 1), "*": _Repeat(0, _UNBOUNDED), "+": _Repeat(1, _UNBOUNDED)}


class _Scanner:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._next = 0

    def check(self) -> None:
        """Raise _UnsafeError, or ValueError or IndexError for an unknown syntax."""
        self._alternatives(0)
        if self._next < len(self._pattern):
            raise ValueError("a bracket without a start")

    def _alternatives(self, depth: int) -> _Group:
        """Read to the end of a group."""
        if depth > _MAX_DEPTH:
            raise _UnsafeError(f"more than {_MAX_DEPTH} nested groups")
        branches = [_Branch()]
        while self._next < len(self._pattern) and self._pattern[self._next] != ")":
            if self._pattern[self._next] == "|":
                self._next += 1
                branches.append(_Branch())
            else:
                inside = self._item(depth)
                repeat = self._repetition()
                if repeat.maximum > 1 and (inside.has_repeat or inside.has_alternatives):
                    raise _UnsafeError("a repeated group with repetitions or alternatives")
                branches[-1].add(inside, repeat)
        return _Group(
            max(branch.backtracking for branch in branches),
            max(branch.pending for branch in branches),
            sum(branch.choices for branch in branches),
            any(branch.has_repeat for branch in branches),
            len(branches) > 1,
        )

    def _item(self, depth: int) -> _Group:
        """Read a character, a class or a group."""
        character = self._pattern[self._next]
        if character == "(":
            return self._group(depth)
        if character == "[":
            self._class()
        elif character == "\\":
            self._escape()
        elif character in _SIGNS:
            raise ValueError("a repetition of nothing")
        else:
            self._next += 1
        return _Group()

    def _group(self, depth: int) -> _Group:
        self._next += 1
        if self._pattern.startswith(_NO_GROUPS, self._next):
            raise _UnsafeError("a condition, a call or a comment")
        if self._pattern.startswith("?", self._next):
            self._options()
        found = self._alternatives(depth + 1)
        if self._pattern[self._next] != ")":
            raise ValueError("a group without an end")
        self._next += 1
        return found

    def _options(self) -> None:
        """Skip the start of a group, such as `?:`, `?<!` or `?i:`; `?i` ends before its bracket."""
        for start in ("?:", "?=", "?!", "?>", "?<=", "?<!"):
            if self._pattern.startswith(start, self._next):
                self._next += len(start)
                return
        self._next += 1
        while self._pattern[self._next] in "im-":
            self._next += 1
        if self._pattern[self._next] == ":":
            self._next += 1
        elif self._pattern[self._next] != ")":
            raise ValueError("an unknown kind of group")

    def _class(self) -> None:
        """Skip a character class, with classes in it."""
        depth = 0
        while True:
            character = self._pattern[self._next]
            if character == "\\":
                self._escape()
                continue
            self._next += 1
            if character == "[":
                depth += 1
                self._next += self._pattern.startswith("^", self._next)
                self._next += self._pattern.startswith("]", self._next)  # a character at the start of a class
            elif character == "]":
                depth -= 1
                if depth == 0:
                    return

    def _escape(self) -> None:
        r"""Skip an escape, such as `\s`, `\p{L}` or `\x{2581}`."""
        kind = self._pattern[self._next + 1]
        if kind in _NO_ESCAPES:
            raise _UnsafeError("a reference to a group or a control character")
        self._next += 2
        if kind in "pPx" and self._pattern.startswith("{", self._next):
            self._next = self._pattern.index("}", self._next) + 1

    def _repetition(self) -> _Repeat:
        """Read a repetition; a second one, as in `+?` and `{2}+`, can make it unbounded only."""
        found = self._one_repetition()
        if found is None:
            return _Repeat()
        while (second := self._one_repetition()) is not None:
            if second.maximum > 1:
                found = _Repeat(found.minimum, _UNBOUNDED)
        return found

    def _one_repetition(self) -> _Repeat | None:
        sign = self._pattern[self._next : self._next + 1]
        if sign in _SIGNS:
            self._next += 1
            return _SIGNS[sign]
        end = self._pattern.find("}", self._next)
        low, comma, high = self._pattern[self._next + 1 : max(end, 0)].partition(",")
        if sign != "{" or end < 0 or not (low + high).isdecimal() or len(low + high) > 12:
            return None  # a brace may be a character
        self._next = end + 1
        minimum = int(low or 0)
        maximum = minimum if not comma else int(high) if high else _UNBOUNDED
        return _Repeat(min(minimum, maximum), max(minimum, maximum))
