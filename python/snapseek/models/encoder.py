"""The public `Encoder`: one text encoder and one image encoder of the same vector space."""

import threading
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from snapseek.errors import ConstructorError, ModelMismatchError, call_text
from snapseek.models.catalogue import find_entry
from snapseek.models.hub.agreement import require_agreement
from snapseek.models.hub.dry_run import admit
from snapseek.models.hub.layout import read_config
from snapseek.models.hub.model_files import ModelFiles, Teacher
from snapseek.models.hub.resolve import STARTER, STARTER_FOLDER, resolve_model
from snapseek.models.identity import model_fingerprint
from snapseek.models.image.image_encoder import ImageEncoder
from snapseek.models.text.languages import ENGLISH
from snapseek.models.text.text_encoder import TextEncoder
from snapseek.models.text.translations import Translation, in_english, translate

_MAX_EXAMPLES = 1000


class Encoder:
    """A CLIP-style model: embeds texts and pictures as unit vectors of one space.

    `text` is the text encoder and `image` the image encoder, for callers that need more than one call.
    Thread-safe. The image tower is loaded when the first picture is embedded.

    Parameters
    ----------
    files
        The files of the model, from `resolve_model`.
    threads
        Threads that one run of a tower uses.
    text_threads
        Threads that one run of the text tower uses, `threads` by default.

    Raises
    ------
    ModelError
        If a file of the model is missing or damaged.
    """

    def __init__(self, files: ModelFiles, *, threads: int = 1, text_threads: int | None = None) -> None:
        if not isinstance(files, ModelFiles):
            raise ConstructorError.of(
                call_text(type(self).__name__, (files,), {}),
                'Encoder.load("starter"), which takes a name or a folder',
            )
        self.files = files
        self._threads = threads
        self._text_threads = text_threads
        self._lock = threading.Lock()
        admit(files, "text")
        self.text = TextEncoder.load(files, text_threads or threads)
        if self._is_starter:
            self.text.read_as = in_english
        # A damaged preprocessor_config.json is reported now, not at the first picture.
        self._image = None if files.teacher else ImageEncoder(files, self.text.dim, threads)

    @classmethod
    def load(
        cls,
        model: str | Path = STARTER,
        *,
        threads: int = 1,
        text_threads: int | None = None,
        model_dir: str | Path | None = None,
        download: bool = True,
    ) -> Self:
        """Load a model by name or path, and download the files that its text tower needs.

        Parameters
        ----------
        model
            `starter`, which comes with the package; a name of the catalogue; `small`, `recommended` or
            `best`; a repository of the hub as `owner/name`; or a directory with a CLIP export.
        threads
            Threads that one run of a tower uses.
        text_threads
            Threads that one run of the text tower uses, `threads` by default.
        model_dir
            Folder of downloaded models, in the user's cache by default.
        download
            Whether a missing model may be downloaded. With False, `model` may only be the name of a
            downloaded model, not a folder: for names that come from an untrusted file.

        Returns
        -------
        Encoder
            The loaded model.

        Raises
        ------
        ModelError
            If the model is missing or damaged, or cannot be downloaded.
        InputError
            If `model` is empty.
        """
        files = resolve_model(model, model_dir, download=download)
        require_agreement(str(model), files)
        return cls(files, threads=threads, text_threads=text_threads)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the paths of the files, so that another process of this machine loads the same model."""
        return partial(type(self), threads=self._threads, text_threads=self._text_threads), (self.files,)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}: {self.dim} dimensions>"

    @property
    def name(self) -> str:
        """`starter`, the name that was passed, or the directory that the model was loaded from."""
        return self.files.name

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""
        return self.text.dim

    @property
    def provider(self) -> str:
        """The ONNX Runtime execution provider of the text tower: `CPU`."""
        return self.text.tower.session.provider

    @property
    def teacher(self) -> Teacher | None:
        """The teacher of a distilled student, else None."""
        return self.files.teacher

    @cached_property
    def languages(self) -> frozenset[str] | None:
        """ISO 639 codes of the languages that the model knows; None if they are many or not known."""
        if entry := find_entry(self.teacher.name if self.teacher else self.name):
            return None if entry.languages is None else frozenset(entry.languages)
        return ENGLISH if self._is_starter or self.text.tokenizer.is_clip else None

    @property
    def _is_starter(self) -> bool:
        """Whether this is the starter, or a student of it."""
        name = self.teacher.name if self.teacher else self.name
        return name == STARTER or self.files.root == STARTER_FOLDER

    def translate(self, text: str) -> Translation | None:
        """Return the English text that a text is embedded as; None if it is embedded as it is.

        The starter reads everyday words of five languages as English: `snapseek.models.text.translations`.
        """
        return translate(text) if self._is_starter else None

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits that change with a graph, the tokenizer or the preprocessing of inputs."""
        return model_fingerprint(self.files, self.text, None if self.teacher else self.image.processor)

    @property
    def space(self) -> str:
        """The fingerprint of the model that defines the vector space: the teacher's for a student."""
        return self.teacher.fingerprint if self.teacher else self.fingerprint

    @cached_property
    def examples(self) -> tuple[str, ...]:
        """Queries that this model answers well; may be empty."""
        path = self.files.examples
        listed = read_config(path).get("examples") if path.is_file() else ()
        texts = listed if isinstance(listed, list) else ()
        return tuple(text for text in texts[:_MAX_EXAMPLES] if isinstance(text, str))

    @property
    def image(self) -> ImageEncoder:
        """The image encoder. A student has that of its teacher, which is loaded on first use.

        Raises
        ------
        ModelMismatchError
            If the model under the teacher's name is not the one that the student was distilled from.
        """
        with self._lock:
            if self._image is None:
                self._image = self._load_teacher().image
            return self._image

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts. The vectors of the last 1,024 distinct texts are cached.

        Parameters
        ----------
        texts
            A list of texts. Each is truncated at the context length of the model.

        Returns
        -------
        NDArray[np.float32]
            Unit rows, shape (n, dim).

        Raises
        ------
        InputError
            If `texts` is not a list of texts, or the tokenizer knows no word of one of them.
        """
        return self.text.embed(texts)

    def embed_ahead(self, texts: Sequence[str]) -> None:
        """Embed texts in one batch, so that `embed_texts` finds them; see `TextEncoder.embed_ahead`."""
        self.text.embed_ahead(texts)

    def embed_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """Embed pictures.

        Parameters
        ----------
        images
            A list of upright RGB pictures.

        Returns
        -------
        NDArray[np.float32]
            Unit rows, shape (n, dim).

        Raises
        ------
        InputError
            If `images` is not a list of RGB pictures.
        PictureError
            If the tower returns a zero or non-finite vector for one of them.
        """
        return self.image.embed(images)

    def _load_teacher(self) -> "Encoder":
        assert self.teacher is not None
        found = Encoder.load(self.teacher.name, threads=self._threads)
        if found.fingerprint != self.teacher.fingerprint:
            raise ModelMismatchError(
                expected=f"'{self.teacher.name}' ({self.teacher.fingerprint[:12]}), the teacher of "
                f"{self.files.root}",
                got=f"another model of that name ({found.fingerprint[:12]})",
                hint="distil the student again",
            )
        return found
