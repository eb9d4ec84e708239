"""The teacher: all-MiniLM-L6-v2, a six-layer sentence encoder, run with a cache of its vectors."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional

WIDTH, LAYERS, HEADS, MAX_TOKENS = 384, 6, 12, 48


class Teacher:
    """Embeds texts as (n, 384) float32 unit rows; every text is computed once for a cache folder."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.weights = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self._cache = cache
        self._known: dict[str, int] = {}
        self._rows = np.zeros((0, WIDTH), np.float32)
        if cache.exists():
            stored = np.load(cache)
            self._known = {key: row for row, key in enumerate(stored["keys"].tolist())}
            self._rows = stored["rows"]

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the (n, 384) float32 unit embeddings of texts."""
        keys = [hashlib.sha1(text.encode()).hexdigest() for text in texts]
        fresh = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if fresh:
            self._embed_new(fresh)
        return torch.from_numpy(self._rows[[self._known[key] for key in keys]])

    def embed_tokens(self, tokens: Sequence[int]) -> torch.Tensor:
        """Return the (n, 384) float32 unit embeddings of texts that are one token each."""
        ids = torch.tensor([[101, token, 102] for token in tokens])
        return torch.cat([self._forward(part) for part in ids.split(512)])

    def _embed_new(self, fresh: dict[str, str]) -> None:
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(fresh.values()))]
        rows = np.zeros((len(ids), WIDTH), np.float32)
        # Texts of one length share a batch, without padding, so that no result depends on its batch.
        for length in sorted({len(row) for row in ids}):
            indices = [index for index, row in enumerate(ids) if len(row) == length]
            for start in range(0, len(indices), 64):
                part = indices[start : start + 64]
                rows[part] = self._forward(torch.tensor([ids[index] for index in part])).numpy()
        self._known.update({key: len(self._rows) + row for row, key in enumerate(fresh)})
        self._rows = np.concatenate([self._rows, rows])
        np.savez(self._cache, keys=np.array(list(self._known)), rows=self._rows)

    @torch.inference_mode()
    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        names = ("word_embeddings", "position_embeddings", "token_type_embeddings")
        word, position, segment = (self.weights[f"embeddings.{name}.weight"] for name in names)
        x = self._norm(word[ids] + position[: ids.shape[1]] + segment[0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}")
        return functional.normalize(x.mean(1))

    def _layer(self, x: torch.Tensor, name: str) -> torch.Tensor:
        shape = (x.shape[0], x.shape[1], HEADS, WIDTH // HEADS)
        parts = (self._linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value"))
        query, key, value = (part.view(shape).transpose(1, 2) for part in parts)
        attended = functional.scaled_dot_product_attention(query, key, value)
        attended = self._linear(attended.transpose(1, 2).reshape(x.shape), f"{name}.attention.output.dense")
        x = self._norm(x + attended, f"{name}.attention.output.LayerNorm")
        inner = functional.gelu(self._linear(x, f"{name}.intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(x, (WIDTH,), weight, bias, 1e-12)
