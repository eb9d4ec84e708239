"""A reference to a model by name: an entry or a tier of the catalogue, or a repository of the hub."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from snapseek.models.catalogue import Pin, find_entry

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
    files: Mapping[str, str]

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse a name or tier of the catalogue, or `owner/name`, `owner/name@revision`, `owner/name:size`.

        Returns None for other texts.
        """
        if entry := find_entry(name):
            return cls(entry.name, entry.repo, entry.revision, None, entry.pins, entry.layout)
        if (found := _HUB_ID.fullmatch(name)) and ".." not in name:
            return cls(name, found["repo"], found["revision"] or "main", found["size"], (), {})
        return None

    @property
    def folder(self) -> str:
        """The name of the model's folder."""
        return re.sub(r"[/@:]", "--", self.name)

    def companions(self) -> dict[tuple[str, str], list[Pin]]:
        """Return the files of other repositories, by repository and revision."""
        found: dict[tuple[str, str], list[Pin]] = {}
        for pin in self.pins:
            if pin.repo and pin.revision:
                found.setdefault((pin.repo, pin.revision), []).append(pin)
        return found
