"""Words into the ids that a text tower asks for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Encoding, Tokenizer

from snapseek.errors import InputError, ModelError


class Tokens:
    """A tokenizer that never gives a graph more ids than it has positions for."""

    def __init__(self, path: Path, config: dict[str, Any], context_length: int) -> None:
        """Read `tokenizer.json`. Raises ModelError when it is damaged."""
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise ModelError(f"{path} is not a tokenizer: {error}") from error
        self.context_length = context_length
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(context_length)
        self.pad_id = self._id_of(config.get("pad_token"), default=0)
        self._unknown_id = self._id_of(config.get("unk_token"), default=-1)

    def _id_of(self, token: str | dict[str, Any] | None, default: int) -> int:
        content = token.get("content") if isinstance(token, dict) else token
        found = self._tokenizer.token_to_id(content) if content else None
        return default if found is None else found

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, true length, cut at the context length."""
        return [list(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]

    def check_known(self, texts: Sequence[str]) -> None:
        """Raise InputError for a text in which the model knows no word."""
        for text, encoding in zip(texts, self._tokenizer.encode_batch(list(texts)), strict=True):
            if not self._says_something(encoding):
                raise InputError(f"the model knows no word in {shorten(text)}; try other words")

    def _says_something(self, encoding: Encoding) -> bool:
        pairs = zip(encoding.ids, encoding.special_tokens_mask, strict=True)
        return any(not special and token != self._unknown_id for token, special in pairs)


def shorten(text: str, characters: int = 40) -> str:
    """The text in quotes, cut for an error message."""
    return repr(text if len(text) <= characters else text[:characters] + "…")
