"""The files of one model on this machine."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from snapseek.absolute_path import absolute_path
from snapseek.errors import ModelError
from snapseek.models.hub.layout import STUDENT, Layout, choose_layout, read_config
from snapseek.models.hub.manifest import Manifest
from snapseek.models.hub.probe_cache import sha256_of
from snapseek.models.onnx.graph import Graph, refuse_pickle
from snapseek.models.onnx.graph_rules import check_weights

_MAX_DEPTH = 3
_MAX_FILES = 5_000
_EXTERNAL_ENDINGS = ("_data", ".data")


@dataclass(frozen=True)
class Teacher:
    """The model whose vector space a distilled student shares; `name` is what `Encoder.load` takes."""

    name: str
    fingerprint: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a `student.json`. Raises ModelError if it names no teacher."""
        named = read_config(path).get("teacher")
        fields: dict[str, Any] = named if isinstance(named, dict) else {}
        name, fingerprint = fields.get("name"), fields.get("fingerprint")
        if not (isinstance(name, str) and name and isinstance(fingerprint, str) and fingerprint):
            raise ModelError(
                expected=f'{{"teacher": {{"name": …, "fingerprint": …}}}} in {path}', got=repr(named)
            )
        return cls(name, fingerprint)


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model. All exist, except those of an image tower that is not downloaded yet: see
    `image_is_here`.
    """

    name: str
    root: Path
    layout: Layout
    manifest: Manifest
    may_download: bool = True
    """Whether a missing image tower may be downloaded."""

    @classmethod
    def in_folder(cls, name: str, folder: Path) -> "ModelFiles":
        """Detect the layout of a folder. Raises ModelError if it is unknown or a file is missing."""
        absolute = absolute_path(folder)
        root, size = _root_and_size(absolute)
        manifest = Manifest.read(root)
        pending = {source.place for source in manifest.sources}
        layout = choose_layout(_files_in(root) | pending, size=size, named=manifest.files)
        files = cls(name, root, layout, manifest)
        files._check()
        return files

    def _check(self) -> None:
        if self.layout.image_graph is None and self.teacher is None:
            raise ModelError(
                f"{self.root} has no image tower",
                hint=f"name one in {self.root / 'snapseek.json'}: "
                '{"files": {"image_graph": "FILE.onnx", "image_config": "preprocessor_config.json"}}',
            )
        optional = {source.place for source in self.manifest.sources_for("image")}
        image = {self.layout.image_graph} if self.layout.image_graph else set()
        needed = self.layout.text_files() | image
        for path in sorted(needed - optional):
            if not (self.root / path).is_file():
                raise ModelError(
                    f"the model has no file {path} in {self.root}", hint="fetch it or copy it there"
                )

    @cached_property
    def teacher(self) -> Teacher | None:
        """The teacher of a distilled student, else None."""
        return Teacher.read(self.root / STUDENT) if self.layout.kind == "student" else None

    def path(self, name: str | None) -> Path | None:
        """Return the path of a file of the layout, None for None."""
        return None if name is None else self.root / name

    @property
    def text_graph(self) -> Path:
        """The graph with the text tower."""
        return self.root / self.layout.text_graph

    @property
    def image_graph(self) -> Path:
        """The graph with the image tower."""
        return self.root / str(self.layout.image_graph)

    def is_part(self, graph: Path) -> bool:
        """Return whether the tower in `graph` is a part of it: the file holds both towers."""
        return self.text_graph == self.image_graph or Graph.read(graph).has_both_towers

    @property
    def tokenizer(self) -> Path:
        """`tokenizer.json`, or the list of merges of CLIP."""
        return self.root / str(self.layout.tokenizer)

    @property
    def examples(self) -> Path:
        """A list of queries that the model answers well; optional."""
        return self.root / "examples.json"

    @property
    def image_is_here(self) -> bool:
        """Whether the image tower is downloaded."""
        paths = [str(self.layout.image_graph), *(item.place for item in self.manifest.sources_for("image"))]
        return all((self.root / path).is_file() for path in paths)

    def of_text(self) -> list[Path]:
        """Return all files that determine the vectors of texts."""
        files = {self.root / path for path in self.layout.text_files()}
        return sorted(files | set(self._external(self.text_graph)))

    def of_images(self) -> list[Path]:
        """Return all files that determine the vectors of pictures; the image tower must be here."""
        config = self.path(self.layout.image_config)
        return [self.image_graph, *([config] if config else []), *self._external(self.image_graph)]

    def digests(self) -> list[str]:
        """Return the SHA-256 of text graph, image graph, tokenizer and dense layer, in that order.

        The manifest provides that of an image graph that is not downloaded.
        """
        parts = [self.text_graph, *self._external(self.text_graph)]
        found = [sha256_of(path) for path in parts] + self._image_digests() + [sha256_of(self.tokenizer)]
        if self.layout.dense:
            found.append(sha256_of(self.root / self.layout.dense / "model.safetensors"))
        return found

    def image_digest_is_known(self) -> bool:
        """Return whether `digests` works without a download."""
        if self.teacher:
            return True
        pending = self.manifest.sources_for("image")
        return self.image_is_here or all(source.sha256 for source in pending)

    def _image_digests(self) -> list[str]:
        if self.teacher:
            return []
        if self.image_is_here:
            return [sha256_of(path) for path in [self.image_graph, *self._external(self.image_graph)]]
        graph = str(self.layout.image_graph)
        pending = [item for item in self.manifest.sources_for("image") if item.place.startswith(graph)]
        return [str(item.sha256) for item in sorted(pending, key=lambda item: item.place)]

    def _external(self, graph: Path) -> list[Path]:
        """Return the files with the external weights of a graph."""
        return [check_weights(graph, self.root, name) for name in sorted(Graph.read(graph).external)]


def _root_and_size(folder: Path) -> tuple[Path, str | None]:
    """Return the folder of the model, and the size if `folder` holds one size of several."""
    if folder.is_file():
        with folder.open("rb") as file:
            refuse_pickle(folder, file.read(4))
        raise ModelError(
            expected="the folder of a model", got=f"the file {folder}", hint="name the folder it lies in"
        )
    is_size = any(folder.glob("text_model*.onnx")) and not (folder / "tokenizer.json").is_file()
    for parent in list(folder.resolve().parents)[:2] if is_size else ():
        if (parent / "tokenizer.json").is_file() and not any(parent.glob("text_model*.onnx")):
            return (parent, None) if folder.name == "onnx" else (parent, folder.name)
    return folder, None


def _files_in(root: Path) -> set[str]:
    found: set[str] = set()
    for folder, folders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = (
            [name for name in folders if not name.startswith(".")] if len(here.parts) < _MAX_DEPTH else []
        )
        found |= {(here / name).as_posix() for name in names}
        if len(found) > _MAX_FILES:
            raise ModelError(
                expected="the folder of one model", got=f"more than {_MAX_FILES} files in {root}"
            )
    return found
