"""The files of one model on this machine."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from snapseek.absolute_path import absolute_path
from snapseek.errors import ModelError
from snapseek.models.hub.layout import STUDENT, Layout, choose_layout
from snapseek.models.hub.manifest import Manifest
from snapseek.models.hub.probe_cache import sha256_of
from snapseek.models.hub.teacher import Teacher
from snapseek.models.onnx.graph import Graph, refuse_pickle

_MAX_DEPTH = 3
_MAX_FILES = 5_000
_EXTERNAL_ENDINGS = ("_data", ".data")


@dataclass(frozen=True)
class ModelFiles:
    """A model's folder, understood. Every file is there, except those of the image tower that a download
    left for later: see `image_is_here`.
    """

    name: str
    root: Path
    layout: Layout
    manifest: Manifest

    @classmethod
    def in_folder(cls, name: str, folder: Path) -> "ModelFiles":
        """Understand the folder. Raises ModelError when a file is missing, or all are of no known layout."""
        absolute = absolute_path(folder)
        root, size = _root_and_size(absolute)
        manifest = Manifest.read(root)
        places = {source.place for source in manifest.sources}
        layout = choose_layout(_files_in(root) | places, size=size, named=manifest.files)
        files = cls(name, root, layout, manifest)
        files._check()
        return files

    def _check(self) -> None:
        if self.layout.image_graph is None and self.teacher is None:
            raise ModelError(
                f"{self.root} holds no image tower; name one in {self.root / 'snapseek.json'}: "
                '{"files": {"image_graph": "FILE.onnx", "image_config": "preprocessor_config.json"}}'
            )
        optional = {source.place for source in self.manifest.sources_for("image")}
        image = {self.layout.image_graph} if self.layout.image_graph else set()
        needed = self.layout.text_files() | image
        for place in sorted(needed - optional):
            if not (self.root / place).is_file():
                raise ModelError(f"a model needs the file {place}; there is none in {self.root}")

    @cached_property
    def teacher(self) -> Teacher | None:
        """The model in whose space a student answers; None for a model of its own."""
        return Teacher.read(self.root / STUDENT) if self.layout.kind == "student" else None

    def path(self, place: str | None) -> Path | None:
        """The path of a file that the layout names."""
        return None if place is None else self.root / place

    @property
    def text_graph(self) -> Path:
        """The graph with the text tower."""
        return self.root / self.layout.text_graph

    @property
    def image_graph(self) -> Path:
        """The graph with the image tower."""
        return self.root / str(self.layout.image_graph)

    @property
    def tokenizer(self) -> Path:
        """`tokenizer.json`, or CLIP's list of merges."""
        return self.root / str(self.layout.tokenizer)

    @property
    def examples(self) -> Path:
        """A list of queries that the model answers well; a model may lack it."""
        return self.root / "examples.json"

    @property
    def image_is_here(self) -> bool:
        """Whether the image tower has been fetched."""
        places = [str(self.layout.image_graph), *(item.place for item in self.manifest.sources_for("image"))]
        return all((self.root / place).is_file() for place in places)

    def of_text(self) -> list[Path]:
        """Everything that the text tower's behaviour comes from."""
        files = {self.root / place for place in self.layout.text_files()}
        return sorted(files | set(self._external(self.text_graph)))

    def digests(self) -> list[str]:
        """The sha256 of the text graph, the image graph, the tokenizer and the dense layer, in that order.

        The image graph's is taken from the manifest where it has not been fetched.
        """
        parts = [self.text_graph, *self._external(self.text_graph)]
        found = [sha256_of(path) for path in parts] + self._image_digests() + [sha256_of(self.tokenizer)]
        if self.layout.dense:
            found.append(sha256_of(self.root / self.layout.dense / "model.safetensors"))
        return found

    def image_digest_is_known(self) -> bool:
        """Whether `digests` needs no further file."""
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
        """Files with weights that the graph keeps beside itself."""
        beside = [graph.parent / name for name in sorted(Graph.read(graph).external)]
        for path in beside:
            if not path.is_file():
                raise ModelError(
                    f"{graph} keeps its weights in {path.name}; there is none in {path.parent}: "
                    "fetch it or copy it there"
                )
        return beside


def _root_and_size(folder: Path) -> tuple[Path, str | None]:
    """The folder of the model, and the size where `folder` is that of one size among several."""
    if folder.is_file():
        with folder.open("rb") as file:
            refuse_pickle(folder, file.read(4))
        raise ModelError(
            f"expected the folder of a model, found the file {folder}; name the folder it lies in"
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
                f"expected the folder of one model, found more than {_MAX_FILES} files in {root}"
            )
    return found
