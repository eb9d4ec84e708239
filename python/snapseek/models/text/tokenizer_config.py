"""Read context length and text normalization from a model's configuration."""

from dataclasses import dataclass
from typing import Any, Self

from snapseek.errors import ModelError

_CLIP_LENGTH = 77
_SIGLIP_LENGTH = 64
_MAX_LENGTH = 8192
_CLEANING = {"canonicalize": "canonical", "lower": "lower"}


@dataclass(frozen=True)
class TokenizerConfig:
    """`context_length` is the maximum number of token ids; `clean` is a key of `tokenizer.CLEANERS`."""

    context_length: int
    clean: str

    @classmethod
    def of(cls, config: dict[str, Any], lengths: dict[str, Any]) -> Self:
        """Read `config.json` of Hugging Face or OpenCLIP, and `sentence_bert_config.json`; both may be empty.

        Raises ModelError for an invalid length.
        """
        is_siglip = str(config.get("model_type", "")).startswith("siglip")
        open_clip = _part(config, "text_cfg") or _part(_part(config, "model_cfg"), "text_cfg")
        hugging_face = _part(config, "text_config")
        candidates = (
            lengths.get("max_seq_length"),
            open_clip.get("context_length"),
            hugging_face.get("max_position_embeddings"),
            config.get("max_position_embeddings"),
            _SIGLIP_LENGTH if is_siglip else _CLIP_LENGTH,
        )
        length = next(value for value in candidates if value is not None)
        if type(length) is not int or not 2 <= length <= _MAX_LENGTH:
            raise ModelError(
                expected=f"max_position_embeddings between 2 and {_MAX_LENGTH}", got=repr(length)
            )
        return cls(length, _cleaning(open_clip, is_siglip))


def _cleaning(open_clip: dict[str, Any], is_siglip: bool) -> str:
    named = open_clip.get("tokenizer_kwargs")
    clean = named.get("clean") if isinstance(named, dict) else None
    return _CLEANING.get(str(clean), "lower" if is_siglip else "none")


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}
