"""One picture as a source knows it: where it is, not what it shows."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """A file that should be a picture.

    `path` = `folder` / `within`; a name that is not UTF-8 keeps its bytes as os.fsdecode gives them.
    `problem` says why a source could not even look at it.
    """

    folder: Path
    within: str
    size_bytes: int = 0
    modified_ns: int = 0
    problem: str | None = None

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / self.within

    @property
    def uri(self) -> str:
        """`file://` with everything outside plain ASCII escaped, so that every name has one."""
        return self.path.as_uri()

    @property
    def name(self) -> str:
        """The file's name for people: bytes that are not UTF-8 become the replacement character."""
        return displayed(Path(self.within).name)

    @property
    def parent(self) -> str:
        """The folder inside `folder` for people, with `/`; empty at the top."""
        parent = Path(self.within).parent.as_posix()
        return "" if parent == "." else displayed(parent)


def displayed(name: str) -> str:
    """A file name as text that can be printed and stored, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "replace")
