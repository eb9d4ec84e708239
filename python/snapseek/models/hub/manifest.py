"""`snapseek.json`, the manifest of a model's folder: file names and their origins.

    {
      "files": {"image_graph": "../clip/vision_model.onnx", "image_config": "preprocess_cfg.json"},
      "sources": [{"path": "onnx/text_model.onnx", "repo": "owner/name", "revision": "…", …}]
    }

`files` overrides the file names of the layout, and may be written by hand. A download writes `sources`: the
origin of each file, also of those that are not downloaded yet.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Self

from snapseek.atomic_file import atomic_file, is_plain_file
from snapseek.errors import ModelError, StorageError
from snapseek.models.hub.layout import read_config

MANIFEST = "snapseek.json"
PUBLIC_HUB = "https://huggingface.co"
_TOWERS = ("text", "image")


def endpoint() -> str:
    """Return the URL of the hub, without a slash at its end: `HF_ENDPOINT`, or the public one."""
    return (os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")


@dataclass(frozen=True)
class Source:
    """A file of a repository, its `place` in the model's folder, and the `tower` that needs it."""

    place: str
    repo: str
    revision: str
    path: str
    tower: str
    size_bytes: int | None = None
    sha256: str | None = None

    def url(self, hub: str = PUBLIC_HUB) -> str:
        """Return the URL of the file."""
        return f"{hub}/{self.repo}/resolve/{self.revision}/{self.path}"


@dataclass(frozen=True)
class Manifest:
    """File names that override the layout, by the fields of `Layout`, and the sources of files."""

    files: dict[str, str]
    sources: tuple[Source, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a folder, empty if there is none. Raises ModelError if it is damaged."""
        path = folder / MANIFEST
        if not path.is_file():
            return cls({})
        content = read_config(path)
        try:
            files = {str(name): str(file) for name, file in dict(content.get("files", {})).items()}
            sources = tuple(_source(entry) for entry in content.get("sources", ()))
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"expected 'files' and 'sources' in {path}: {error}") from error
        return cls(files, sources)

    def write(self, folder: Path) -> None:
        """Write the manifest to a folder. One that was written by hand or is a link is not replaced.

        Raises StorageError in that case, or if the folder cannot be written.
        """
        path = folder / MANIFEST
        try:
            with atomic_file(path, may_replace=_is_ours) as file:
                file.write(self._text().encode())
        except FileExistsError as error:
            raise StorageError(
                expected=f"no {MANIFEST}, or one that a download wrote",
                got=f"another at {path}",
                hint="move it away, or name another folder with --model-dir",
            ) from error
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}") from error

    def _text(self) -> str:
        content = {"files": self.files, "sources": [asdict(source) for source in self.sources]}
        return json.dumps(content, indent=1)

    def sources_for(self, tower: str) -> tuple[Source, ...]:
        """Return the sources of one tower, `text` or `image`."""
        return tuple(source for source in self.sources if source.tower == tower)


def _is_ours(path: Path) -> bool:
    """Return whether `write` wrote the file: its text is exactly what `write` produces."""
    try:
        return is_plain_file(path) and path.read_text("utf-8") == Manifest.read(path.parent)._text()
    except (ModelError, OSError, ValueError):
        return False


def _source(entry: dict[str, Any]) -> Source:
    source = Source(**entry)
    if source.tower not in _TOWERS:
        raise ValueError(f"the tower text or image, not {source.tower!r}")
    names = (source.place, source.repo, source.revision, source.path, source.sha256 or "")
    if not all(isinstance(name, str) for name in names) or type(source.size_bytes) not in (int, NoneType):
        raise ValueError("texts, and a number as the size")
    if not is_inside(source.place) or not is_inside(source.path):
        raise ValueError(f"a path inside the folder, not {source.place!r} or {source.path!r}")
    return source


def is_inside(path: str) -> bool:
    """Return whether a relative path with `/` stays inside its folder."""
    parts = path.split("/")
    return bool(path) and "\\" not in path and ":" not in path and not {"", ".", ".."} & set(parts)
