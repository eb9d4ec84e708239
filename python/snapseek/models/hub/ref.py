"""A reference to a model by name: an entry of the catalogue, or a repository of the hub."""

import re
from dataclasses import dataclass
from typing import Self

from snapseek.models.catalogue import Companion, Pin, find_entry

_HUB_ID = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?(?::(?P<size>[\w.-]+))?"
)


@dataclass(frozen=True)
class ModelRef:
    """Repository, revision and files of a model; `size` names a subfolder, for a model in several sizes."""

    name: str
    repo: str
    revision: str
    size: str | None
    pins: tuple[Pin, ...]
    files: dict[str, str]
    companions: tuple[Companion, ...]

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse a name of the catalogue, or `owner/name`, `owner/name@revision`, `owner/name:size`.

        Returns None for other texts.
        """
        if entry := find_entry(name):
            return cls(name, entry.repo, entry.revision, None, entry.pins, entry.files, entry.companions)
        if (found := _HUB_ID.fullmatch(name)) and ".." not in name:
            return cls(name, found["repo"], found["revision"] or "main", found["size"], (), {}, ())
        return None

    @property
    def folder(self) -> str:
        """The name of the model's folder."""
        return re.sub(r"[/@:]", "--", self.name)

    def paths(self) -> list[str]:
        """Return the pinned files, as paths in the model's folder."""
        known = [pin.path for pin in self.pins]
        return known + [path for companion in self.companions for path, _ in companion.files]
