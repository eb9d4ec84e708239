"""Two towers, one space."""

import hashlib
import json
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import InputError, ModelError, ModelMismatchError
from snapseek.lru import LruCache
from snapseek.models.hub.download import fetch
from snapseek.models.hub.layout import read_config
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.probe_cache import load_probe, store_probe
from snapseek.models.hub.resolve import STARTER, resolve_model
from snapseek.models.hub.teacher import Teacher
from snapseek.models.image.batch import Batch
from snapseek.models.image.image_encoder import IMAGE_OUTPUTS, ImageEncoder
from snapseek.models.image.image_processor import ImageProcessor
from snapseek.models.image.provider import choose_provider
from snapseek.models.onnx.graph import Graph
from snapseek.models.onnx.tower import CPU, Tower
from snapseek.models.text.dense import Dense
from snapseek.models.text.text_encoder import TEXT_OUTPUTS, TextEncoder
from snapseek.models.text.text_probe import TextConfig, probe_text_tower
from snapseek.models.text.tokenizer import Tokenizer
from snapseek.models.text.tokenizer_config import TokenizerConfig

_TOGETHER = 64
_QUERIES_TOGETHER = 8  # more of them cost as much each
_RECENT_TEXTS = 1024
_RECENT_CHARACTERS = 1000  # longer texts are captions on their way through, not queries that come again


class Encoder:
    """A model of the CLIP family: texts and pictures become unit vectors of one space.

    Safe to use from many threads. The image tower is loaded when the first picture comes.
    """

    def __init__(self, files: ModelFiles, *, threads: int = 1, text_threads: int | None = None) -> None:
        """Load the text tower; see `Encoder.load`."""
        layout = files.layout
        self._files = files
        self._threads = threads
        self._lock = threading.Lock()
        text_tower = self._tower(files.text_graph, TEXT_OUTPUTS, text_threads or threads)
        self._text = TextEncoder(text_tower, _dense(files))
        wording = TokenizerConfig.of(
            read_config(files.path(layout.config)), read_config(files.path(layout.length_config))
        )
        self._tokens = Tokenizer(
            files.tokenizer,
            read_config(files.path(layout.tokenizer_config)),
            self._text.fixed_length or wording.context_length,
            wording.clean,
        )
        if files.teacher is None:
            self._pixels  # noqa: B018 (damaged settings are found now, not at the first picture)
        self._policy = self._text_policy()
        self.dim = self._policy.dim
        # What is kept never goes stale: nothing of an encoder changes.
        self._recent: LruCache[str, NDArray[np.float32]] = LruCache(_RECENT_TEXTS)

    @classmethod
    def load(
        cls,
        model: str | Path = STARTER,
        *,
        threads: int = 1,
        text_threads: int | None = None,
        model_dir: str | Path | None = None,
    ) -> Self:
        """Load a model: `starter`, which comes with the package; a name of the catalogue; a repository of the
        hub as owner/name; or a directory with an export of CLIP.

        `threads` is how many threads one call uses, `text_threads` how many for a text where that is to be
        another number. Named models lie in `model_dir`, by default in the user's
        cache; what is missing of them is fetched. Raises ModelError when the model is missing or damaged, or
        cannot be fetched.
        """
        return cls(resolve_model(model, model_dir), threads=threads, text_threads=text_threads)

    @property
    def name(self) -> str:
        """`starter`, the name that was asked for, or the directory that the model was loaded from."""
        return self._files.name

    @property
    def provider(self) -> str:
        """The execution provider of ONNX Runtime that answers words: `CPU`."""
        return self._text.tower.provider

    @property
    def image_provider(self) -> str:
        """The execution provider that pictures go through, such as `CPU` or `CUDA`; loads the image tower."""
        return self._image.tower.provider

    @property
    def layout(self) -> str:
        """The kind of export, such as `split` or `immich`."""
        return self._files.layout.kind

    @property
    def teacher(self) -> Teacher | None:
        """Whose space a student answers in, for a model that `snapseek distil` made; else None."""
        return self._files.teacher

    @property
    def space(self) -> str:
        """The fingerprint of the model whose space the vectors lie in: the teacher's for a student."""
        return self.teacher.fingerprint if self.teacher else self.fingerprint

    @property
    def tokens(self) -> Tokenizer:
        """The tokenizer, with the model's own rules."""
        return self._tokens

    @property
    def text_config(self) -> TextConfig:
        """How the text tower wants its ids."""
        return self._policy

    @property
    def text_graph(self) -> tuple[Path, str]:
        """The ONNX file that reads texts, and its output that answers.

        Raises InputError for a model whose last layer is outside of its graph.
        """
        if self._text.has_layer_outside:
            raise InputError(
                f"expected all of the text tower in {self._files.text_graph}, found a dense layer beside it"
            )
        return self._files.text_graph, self._policy.output

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits that change when a graph, the tokenizer or the way inputs are prepared changes."""
        if not self._files.image_digest_is_known():
            self._fetch_image_tower()
        digest = hashlib.sha256()
        for found in self._files.digests():
            digest.update(bytes.fromhex(found))
        digest.update(json.dumps(self._facts(), sort_keys=True).encode())
        return digest.hexdigest()

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "context_length": self._tokens.context_length,
            "pad_id": self._policy.pad_id,
            "unpadded": self._policy.unpadded,
        }
        if self.teacher is None:
            facts |= {"pixels": self._pixels.facts(), "upright": True}
        return facts if self._tokens.clean == "none" else facts | {"clean": self._tokens.clean}

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """Queries that this model is known to answer well; may be empty."""
        if not self._files.examples.is_file():
            return ()
        return tuple(str(text) for text in read_config(self._files.examples)["examples"])

    @property
    def picture_side_px(self) -> int:
        """The shorter side, in pixels, to which the model scales a picture: nothing finer reaches it."""
        return self._pixels.resize_px

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one a text; long texts are cut at the model's context length.

        The last 1,024 different texts are remembered: one that comes again costs microseconds.

        Raises InputError for a text in which the model knows no word, and for what is no list of texts.
        """
        rows = [self._vector(text) for text in _checked_texts(texts)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dim), np.float32)

    def embed_ahead(self, texts: Sequence[str]) -> None:
        """Embed those of the texts that are not remembered, together, so that `embed_texts` finds them.

        Eight queries together cost half of what they cost one by one, or less. Nothing is done for a model
        whose answer depends on what else is in the batch. What cannot be embedded is left to `embed_texts`.
        """
        new = [text for text in dict.fromkeys(texts) if len(text) <= _RECENT_CHARACTERS]
        new = [text for text in new if text not in self._recent]
        if len(new) < 2 or not self._runs_together:
            return
        pairs = [(ids, text) for ids, text in zip(self._tokens.known(new), new, strict=True) if ids]
        pairs.sort(key=lambda pair: len(pair[0]))
        for start in range(0, len(pairs), _QUERIES_TOGETHER):
            part = pairs[start : start + _QUERIES_TOGETHER]
            with suppress(InputError):  # one without a direction: who asks for it alone is told
                rows = self._run([ids for ids, _ in part], self._policy.length_of(part[-1][0]))
                for (_, text), row in zip(part, rows, strict=True):
                    self._remember(text, row[None].copy())

    @property
    def _runs_together(self) -> bool:
        """Whether texts may share a run without changing one another's answer."""
        return self._policy.batch_safe and self._text.fixed_batch is None

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Whether the model knows a word of each text; `embed_texts` refuses the others."""
        return [ids is not None for ids in self._tokens.known(texts)]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text with the model's marks, true length, cut at the context length."""
        return self._tokens.ids(texts)

    def embed_ids(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows of many texts as ids; those of one length run together where that
        changes nothing.
        """
        answer = np.zeros((len(rows), self.dim), np.float32)
        lengths = np.array([self._policy.length_of(list(ids)) for ids in rows], np.int64)
        together = _TOGETHER if self._runs_together else 1
        for length in np.unique(lengths).tolist():
            places = np.flatnonzero(lengths == length)
            for start in range(0, len(places), together):
                part = places[start : start + together]
                answer[part] = self._run([rows[place] for place in part], length)
        return answer

    def _run(self, rows: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        policy = self._policy
        return self._text.vectors(rows, length=length, pad_id=policy.pad_id, output=policy.output)

    def _vector(self, text: str) -> NDArray[np.float32]:
        """(1, dim) float32, unit length; never to be changed, since it may be kept."""
        row = self._recent.get(text)
        if row is None:
            ids = self._tokens.known_ids(text)
            row = self._run([ids], self._policy.length_of(ids))
            if len(text) <= _RECENT_CHARACTERS:
                self._remember(text, row)
        return row

    def _remember(self, text: str, row: NDArray[np.float32]) -> None:
        """Keep (1, dim) float32, which nobody may change from now on."""
        row.flags.writeable = False
        self._recent.put(text, row)

    def _text_policy(self) -> TextConfig:
        """What was found when these files were first loaded, or is found now."""
        files = self._files.of_text()
        kept = load_probe("text policy", files)
        if kept and (policy := TextConfig.from_facts(kept)):
            return policy
        policy = probe_text_tower(self._text, self._tokens)
        store_probe("text policy", files, policy.facts())
        return policy

    @cached_property
    def _teacher_encoder(self) -> "Encoder":
        """The teacher of a student, loaded: pictures are its."""
        assert self.teacher is not None
        tutor = Encoder.load(self.teacher.name, threads=self._threads)
        if tutor.fingerprint != self.teacher.fingerprint:
            raise ModelMismatchError(
                f"{self._files.root} was distilled from '{self.teacher.name}' "
                f"({self.teacher.fingerprint[:12]}), which is now another model "
                f"({tutor.fingerprint[:12]}); distil it anew"
            )
        return tutor

    @cached_property
    def _pixels(self) -> ImageProcessor:
        return self._teacher_encoder._pixels if self.teacher else self._pixel_policy()

    def _pixel_policy(self) -> ImageProcessor:
        path = self._files.path(self._files.layout.image_config)
        if path is not None:
            return ImageProcessor.from_config(read_config(path))
        if not self._files.image_is_here:
            self._fetch_image_tower()
        side_px = Graph.read(self._files.image_graph).picture_side_px
        if side_px is None:
            raise ModelError(
                f"{self._files.root} does not say how large its pictures are; preprocessor_config.json would"
            )
        return ImageProcessor.of_clip(side_px)

    def embed_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one a picture; the pictures are upright and RGB.

        Raises PictureError when the model's answer to one of them has no direction, InputError for what is no
        list of RGB pictures.
        """
        _check_pictures(images)
        side = self._image
        return side.vectors(images) if images else np.zeros((0, self.dim), np.float32)

    def new_batch(self, most: int | None = None) -> Batch:
        """Room for `images_at_a_time` pictures, or for `most` if that is fewer; loads the tower."""
        return self._image.new_batch(most)

    def embed_batch(self, batch: Batch) -> NDArray[np.float32]:
        """(n, dim) float32 unit rows, one for each of the batch's pictures, at least one.

        Raises PictureError when the model's answer to one of them has no direction.
        """
        return self._image.vectors_of(batch)

    @property
    def images_at_a_time(self) -> int:
        """How many pictures go through the image tower in one run; loads the tower."""
        return self._image.batch

    @property
    def _image(self) -> ImageEncoder:
        with self._lock:
            return self._loaded_image_side

    @cached_property
    def _loaded_image_side(self) -> ImageEncoder:
        if self.teacher:
            return self._teacher_encoder._loaded_image_side
        self._fetch_image_tower()
        graph = self._files.image_graph
        return choose_provider(
            lambda name: ImageEncoder(
                self._tower(graph, IMAGE_OUTPUTS, self._threads, name), self._pixels, self.dim
            )
        )

    def _tower(self, graph: Path, outputs: tuple[str, ...], threads: int, provider: str = CPU) -> Tower:
        holds_both = self._files.text_graph == self._files.image_graph
        return Tower(graph, threads=threads, only=outputs if holds_both else (), provider=provider)

    def _fetch_image_tower(self) -> None:
        if not self._files.image_is_here:
            fetch(self._files.root, self._files.manifest, "image")


def _dense(files: ModelFiles) -> Dense | None:
    pooling, dense = files.path(files.layout.pooling), files.path(files.layout.dense)
    return Dense.load(pooling, dense) if pooling and dense else None


def _checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts, where they are a list of texts: a text alone would be taken for a list of its letters."""
    if isinstance(texts, str | bytes):
        raise InputError(f"expected a list of texts, found a text alone: put it in a list, [{texts[:40]!r}]")
    found = list(texts)
    for text in found:
        if not isinstance(text, str):
            raise InputError(f"expected texts, found {type(text).__name__}")
    return found


def _check_pictures(images: Sequence[Image.Image]) -> None:
    if isinstance(images, Image.Image):
        raise InputError("expected a list of pictures, found a picture alone: put it in a list, [picture]")
    for image in images:
        if not isinstance(image, Image.Image):
            raise InputError(
                f"expected pictures of PIL, found {type(image).__name__}: PIL.Image.open reads one"
            )
        if image.mode != "RGB":
            raise InputError(f"expected RGB pictures, found {image.mode}: picture.convert('RGB') makes one")
