"""`snapseek.json`: what a model's folder says about itself, where its own files do not.

    {
      "files": {"image_graph": "../clip/vision_model.onnx", "image_config": "preprocess_cfg.json"},
      "sources": [{"path": "onnx/text_model.onnx", "repo": "owner/name", "revision": "…", …}]
    }

`files` names files otherwise than the layout would, and may be written by hand. `sources` is written by a
download: where each file came from, or will come from when it is needed.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from snapseek.atomic_file import atomic_file, is_plain_file
from snapseek.errors import ModelError, StorageError
from snapseek.models.hub.layout import read_config

MANIFEST = "snapseek.json"
_ROOMS = ("text", "image")


@dataclass(frozen=True)
class Source:
    """One file of a repository: `place` is where it goes in the model's folder, `tower` who needs it."""

    place: str
    repo: str
    revision: str
    path: str
    tower: str
    size_bytes: int | None = None
    sha256: str | None = None

    def url(self, endpoint: str = "https://huggingface.co") -> str:
        """Return where a browser can fetch the file."""
        return f"{endpoint}/{self.repo}/resolve/{self.revision}/{self.path}"


@dataclass(frozen=True)
class Manifest:
    """Files named otherwise, by the fields of `Layout`; and the sources of files."""

    files: dict[str, str]
    sources: tuple[Source, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the manifest of a folder; an empty one where it has none. Raises ModelError when it is damaged."""
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
        """Put the manifest into a folder; one that was written by hand or is a link is not replaced.

        Raises StorageError for that, and when the disk refuses.
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

    def source_of(self, place: str) -> Source | None:
        """Return where the file at `place` comes from, if that is known."""
        return next((source for source in self.sources if source.place == place), None)

    def sources_for(self, tower: str) -> tuple[Source, ...]:
        """Return the files that one tower needs: `text` or `image`."""
        return tuple(source for source in self.sources if source.tower == tower)


def _is_ours(path: Path) -> bool:
    """Return whether the manifest is one that `write` wrote: it is exactly as `write` would write it."""
    try:
        return is_plain_file(path) and path.read_text("utf-8") == Manifest.read(path.parent)._text()
    except (ModelError, OSError, ValueError):
        return False


def _source(entry: dict[str, Any]) -> Source:
    source = Source(**entry)
    if source.tower not in _ROOMS:
        raise ValueError(f"a tower called text or image, not {source.tower!r}")
    if not is_inside(source.place):
        raise ValueError(f"a path inside the folder, not {source.place!r}")
    return source


def is_inside(place: str) -> bool:
    """Return whether a path with `/` stays in the folder that it starts from."""
    parts = place.split("/")
    return bool(place) and "\\" not in place and ":" not in place and not {"", ".", ".."} & set(parts)
