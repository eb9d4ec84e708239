"""A model that is asked for by name: an entry of the catalogue, or any repository of the hub."""

import re
from dataclasses import dataclass
from typing import Self

from snapseek.models.catalogue import Companion, Pin, find_entry

_HUB_ID = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?(?::(?P<size>[\w.-]+))?"
)


@dataclass(frozen=True)
class ModelRef:
    """Which files, of which revision of which repository. `size` names a folder among several sizes."""

    name: str
    repo: str
    revision: str
    size: str | None
    pins: tuple[Pin, ...]
    files: dict[str, str]
    companions: tuple[Companion, ...]

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read `NAME` of the catalogue, or `owner/name`, `owner/name@revision`, `owner/name:size`.

        None for anything else.
        """
        if entry := find_entry(name):
            return cls(name, entry.repo, entry.revision, None, entry.pins, entry.files, entry.companions)
        if (found := _HUB_ID.fullmatch(name)) and ".." not in name:
            return cls(name, found["repo"], found["revision"] or "main", found["size"], (), {}, ())
        return None

    @property
    def folder(self) -> str:
        """The name of the folder that it lies in."""
        return re.sub(r"[/@:]", "--", self.name)

    def paths(self) -> list[str]:
        """Return the files that are known beforehand, as places in the model's folder."""
        known = [pin.path for pin in self.pins]
        return known + [place for companion in self.companions for place, _ in companion.files]
