"""The text encoder: tokenizer, text tower, batches, and an LRU cache of recent queries."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from snapseek.errors import ArrayError, InputError
from snapseek.models.hub.layout import read_config
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.probe_cache import load_probe, store_probe
from snapseek.models.hub.text_variants import with_fastest_text
from snapseek.models.onnx.huge_pages import start_collapse
from snapseek.models.onnx.session import OnnxSession
from snapseek.models.text.dense import Dense
from snapseek.models.text.text_probe import probe_text_tower
from snapseek.models.text.text_tower import TEXT_OUTPUTS, TextConfig, TextTower
from snapseek.models.text.tokenizer import Tokenizer
from snapseek.models.text.tokenizer_config import TokenizerConfig

_MAX_BATCH = 64
_QUERY_BATCH = 8  # the cost of a query stops falling with larger batches
_CACHE_SIZE = 1024
_MAX_CACHED_CHARACTERS = 1000  # longer texts are captions that are embedded once, not repeated queries
_RUNS_IN_SMALL_PAGES = 16  # a command that embeds one query does not move the weights
_PROBE_TOPIC = "text policy"  # part of the names of cached probes


class TextEncoder:
    """Embeds texts as unit vectors. Thread-safe.

    The cache needs no invalidation, because the tower, the tokenizer and the settings never change.

    Parameters
    ----------
    tower
        The text tower.
    tokenizer
        The tokenizer of the same model.
    config
        How the tower is fed; see `probe_text_tower`.
    """

    def __init__(self, tower: TextTower, tokenizer: Tokenizer, config: TextConfig) -> None:
        self.tower = tower
        self.tokenizer = tokenizer
        self.config = config
        self._cache: LRUCache[str, NDArray[np.float32]] = LRUCache(_CACHE_SIZE)
        self._cache_lock = threading.Lock()
        self._passed_on: LRUCache[str, bool] = LRUCache(_CACHE_SIZE)
        self.fallback: Callable[[], TextEncoder] | None = None
        """Returns the encoder of the same space for texts that this one cannot embed, such as a student's
        teacher."""
        self.read_as: Callable[[str], str] = str
        """Returns what a text is embedded as, such as a German noun as its English one."""
        self._runs = 0
        self._path = tower.session.path  # in the precision of the model

    @classmethod
    def load(cls, files: ModelFiles, threads: int = 1) -> Self:
        """Load the tokenizer of a model, and its text tower in the precision that was the fastest here.

        Raises
        ------
        ModelError
            If one of the files is damaged, or the tower cannot be run.
        """
        encoder = cls.load_exactly(with_fastest_text(files, cls.load_exactly), threads)
        encoder._path = files.text_graph
        return encoder

    @classmethod
    def load_exactly(cls, files: ModelFiles, threads: int = 1) -> Self:
        """Load the text tower of these files. Raises as `load` does."""
        layout = files.layout
        outputs = TEXT_OUTPUTS if files.is_part(files.text_graph) else ()
        tower = TextTower(OnnxSession(files.text_graph, threads=threads, only=outputs), _dense_layer(files))
        config = TokenizerConfig.of(
            read_config(files.path(layout.config)), read_config(files.path(layout.length_config))
        )
        tokenizer = Tokenizer(
            files.tokenizer,
            read_config(files.path(layout.tokenizer_config)),
            tower.fixed_length or config.context_length,
            config.clean,
        )
        return cls(tower, tokenizer, _text_config(files, tower, tokenizer))

    @property
    def dim(self) -> int:
        """Number of dimensions of a vector."""
        return self.config.dim

    @property
    def graph(self) -> tuple[Path, str]:
        """The ONNX file of the text tower, and the name of its output.

        Raises
        ------
        InputError
            If the last layer of the model is not part of the graph.
        """
        path = self._path
        if self.tower.has_dense_layer:
            raise InputError(
                expected=f"the whole text tower in {path}", got="a dense layer in a file of its own"
            )
        return path, self.config.output

    def embed(
        self, texts: Sequence[str], on_tokenized: Callable[[float], object] = lambda seconds: None
    ) -> NDArray[np.float32]:
        """Return unit rows (n, dim); see `Encoder.embed_texts`.

        `on_tokenized` is called with the seconds that each text took that was not cached.
        """
        rows = [self._embed_one(text, on_tokenized) for text in _checked_texts(texts)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dim), np.float32)

    def embed_ahead(self, texts: Sequence[str]) -> None:
        """Embed the texts that are not cached, in batches, so that `embed` finds them.

        Eight queries in one batch take at most half the time of eight runs. A tower whose output depends on
        the rest of the batch is left alone. Texts that cannot be embedded are skipped: `embed` reports them.
        """
        new = [text for text in dict.fromkeys(texts) if len(text) <= _MAX_CACHED_CHARACTERS]
        new = [text for text in new if text not in self._cache]
        if len(new) < 2 or not self._can_batch:
            return
        known = self.tokenizer.known(list(map(self.read_as, new)))
        pairs = [(ids, text) for ids, text in zip(known, new, strict=True) if ids]
        pairs.sort(key=lambda pair: len(pair[0]))
        for start in range(0, len(pairs), _QUERY_BATCH):
            batch = pairs[start : start + _QUERY_BATCH]
            with suppress(InputError):  # `embed` raises it for the text that causes it
                rows = self._run([ids for ids, _ in batch], self.config.length_of(batch[-1][0]))
                for (_, text), row in zip(batch, rows, strict=True):
                    self._store(text, row[None].copy())

    def embeds(self, text: str) -> bool:
        """Return whether a text that `embed` returned a vector of was embedded here, not by the fallback."""
        with self._cache_lock:
            return text not in self._passed_on

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Return, for each text, whether the tokenizer knows a word of it; `embed` rejects the others."""
        return [ids is not None for ids in self.tokenizer.known(list(map(self.read_as, texts)))]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text with special tokens, truncated and not padded."""
        return self.tokenizer.ids(texts)

    def embed_ids(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Embed texts that `token_ids` returned, in batches of equal length; nothing is cached.

        Returns unit rows (n, dim). Raises InputError if a vector is zero or not finite.
        """
        vectors = np.zeros((len(rows), self.dim), np.float32)
        lengths = np.array([self.config.length_of(list(ids)) for ids in rows], np.int64)
        batch_size = _MAX_BATCH if self._can_batch else 1
        for length in np.unique(lengths).tolist():
            indices = np.flatnonzero(lengths == length)
            for start in range(0, len(indices), batch_size):
                batch = indices[start : start + batch_size]
                vectors[batch] = self._run([rows[index] for index in batch], length)
        return vectors

    @property
    def _can_batch(self) -> bool:
        """Whether several texts may share a run without changing each other's vector."""
        return self.config.batch_safe and self.tower.fixed_batch is None

    def _run(self, rows: Sequence[Sequence[int]], length: int) -> NDArray[np.float32]:
        config = self.config
        self._runs += 1  # a lost count of another thread delays the move by a run
        if self._runs == _RUNS_IN_SMALL_PAGES:
            start_collapse()
        return self.tower.vectors(rows, length=length, pad_id=config.pad_id, output=config.output)

    def _embed_one(self, text: str, on_tokenized: Callable[[float], object]) -> NDArray[np.float32]:
        """Return a read-only unit row, shape (1, dim)."""
        with self._cache_lock:
            row = self._cache.get(text)
        if row is None:
            row = self._new_row(text, on_tokenized)
            if len(text) <= _MAX_CACHED_CHARACTERS:
                self._store(text, row)
        return row

    def _new_row(self, text: str, on_tokenized: Callable[[float], object]) -> NDArray[np.float32]:
        start = time.perf_counter()
        ids = self.tokenizer.known_ids(self.read_as(text))
        on_tokenized(time.perf_counter() - start)
        try:
            return self._run([ids], self.config.length_of(ids))
        except InputError:
            if self.fallback is None:
                raise
        row = self.fallback().embed([text])
        with self._cache_lock:
            self._passed_on[text] = True
        return row

    def _store(self, text: str, row: NDArray[np.float32]) -> None:
        row.flags.writeable = False
        with self._cache_lock:
            self._cache[text] = row


def _text_config(files: ModelFiles, tower: TextTower, tokenizer: Tokenizer) -> TextConfig:
    """Return the cached result of an earlier probe of these files, or probe the tower now."""
    paths = files.of_text()
    cached = load_probe(_PROBE_TOPIC, paths)
    if cached and (config := TextConfig.from_dict(cached)):
        return config
    config = probe_text_tower(tower, tokenizer)
    store_probe(_PROBE_TOPIC, paths, config.to_dict())
    return config


def _dense_layer(files: ModelFiles) -> Dense | None:
    pooling, dense = files.path(files.layout.pooling), files.path(files.layout.dense)
    return Dense.load(pooling, dense) if pooling and dense else None


def _checked_texts(texts: Sequence[str]) -> list[str]:
    """Return the texts as a list. A single text is an error: it would be read as a list of letters."""
    if isinstance(texts, str | bytes):
        raise ArrayError(
            expected="a list of texts", got="a single text", hint=f"put it in a list, [{texts[:40]!r}]"
        )
    checked = list(texts)
    for text in checked:
        if not isinstance(text, str):
            raise ArrayError(expected="a list of texts", got=f"{type(text).__name__} in the list")
    return checked
