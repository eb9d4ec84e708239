"""Tokenize texts for a text tower."""

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import Encoding

from snapseek.errors import RENEW, InputError, ModelError
from snapseek.models.catalogue import MULTILINGUAL
from snapseek.models.text.bpe import END, START, clip_tokenizer
from snapseek.models.text.clean_text import clean_text
from snapseek.models.text.tokenizer_rules import check_size, check_tokenizer

MAX_CHARACTERS_PER_TOKEN = 64
"""Characters of a text that are read, as a multiple of the context length; words have 5 for each token."""

_OTHER_WORDS = f"try other words, or {MULTILINGUAL}, which knows many languages"
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def canonical(text: str) -> str:
    """Return the text as SigLIP's training data: lower case, no punctuation, single spaces."""
    return " ".join(text.replace("_", " ").translate(_NO_PUNCTUATION).lower().split())


CLEANERS: dict[str, Callable[[str], str]] = {"none": str, "lower": str.lower, "canonical": canonical}


class Tokenizer:
    """A tokenizer that truncates texts at the context length of the model.

    Parameters
    ----------
    path
        `tokenizer.json`, or the list of merges of CLIP (.gz).
    config
        The content of `tokenizer_config.json`.
    context_length
        Maximum number of token ids.
    clean
        How texts are normalized first, a key of `CLEANERS`.

    Raises
    ------
    ModelError
        If the file is damaged.
    """

    def __init__(self, path: Path, config: dict[str, Any], context_length: int, clean: str = "none") -> None:
        self._tokenizer = _open(path)
        self._clean = CLEANERS[clean]
        self.clean = clean
        self.context_length = context_length
        self._max_characters = MAX_CHARACTERS_PER_TOKEN * context_length
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = True  # a mark in a text is text
        self._is_clip = all(self._tokenizer.token_to_id(token) is not None for token in (START, END))
        _truncate(path, self._tokenizer, context_length)
        self._config = config
        self.pad_id = self._id_of(config.get("pad_token"), default=0)
        self._unknown_id = self._id_of(config.get("unk_token"), default=-1)

    @property
    def is_clip(self) -> bool:
        """Whether it has CLIP's special tokens; CLIP's own code pads with 0, despite its configuration."""
        return self._is_clip

    def _id_of(self, token: str | dict[str, Any] | None, default: int) -> int:
        content = token.get("content") if isinstance(token, dict) else token
        found = self._tokenizer.token_to_id(content) if content and isinstance(content, str) else None
        return default if found is None else found

    def special_tokens(self) -> dict[str, object]:
        """Return the padding and unknown tokens under their keys of `tokenizer_config.json`."""
        return {name: self._config[name] for name in ("pad_token", "unk_token") if name in self._config}

    @property
    def size(self) -> int:
        """Size of the vocabulary."""
        return int(self._tokenizer.get_vocab_size())

    def save(self, path: Path) -> None:
        """Write `tokenizer.json` without truncation and padding, which the loader sets."""
        plain = tokenizers.Tokenizer.from_str(self._tokenizer.to_str())
        plain.no_truncation()
        plain.save(str(path), pretty=False)

    def special_ids(self, text: str) -> tuple[list[int], list[int]]:
        """Return the ids of the special tokens before and after those of `text`."""
        (encoding,) = self._encode([text])
        mask = encoding.special_tokens_mask
        first = mask.index(0) if 0 in mask else len(mask)
        last = len(mask) - mask[::-1].index(0) if 0 in mask else len(mask)
        return list(encoding.ids[:first]), list(encoding.ids[last:])

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        # The shell passes invalid UTF-8 as lone surrogates, which the tokenizer rejects.
        valid = [text.encode("utf-8", "ignore").decode()[: self._max_characters] for text in texts]
        try:
            cleaned = [self._cleaned(text) for text in valid]
            if len(cleaned) == 1:  # without the threads that share a batch
                return [self._tokenizer.encode(cleaned[0])]
            return list(self._tokenizer.encode_batch(cleaned))
        except BaseException as error:  # a panic of the library is a BaseException
            raise_interrupt(error)
            raise InputError(
                f"the tokenizer of the model cannot read {shorten(texts[0])}: {first_line(error)}",
                hint="try other words",
            ) from error

    def _cleaned(self, text: str) -> str:
        """Return the text as the model's training texts. The tokenizer of CLIP was trained on lower case."""
        cleaned = self._clean(clean_text(text))
        return cleaned.lower() if self.is_clip else cleaned

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, truncated and not padded."""
        return [list(encoding.ids) for encoding in self._encode(texts)]

    def known_ids(self, text: str) -> list[int]:
        """Return the ids of one text. Raises InputError if all its words are unknown."""
        (ids,) = self.known([text])
        if ids is None:
            raise InputError(f"the model knows no word in {shorten(text)}", hint=_OTHER_WORDS)
        return ids

    def known(self, texts: Sequence[str]) -> list[list[int] | None]:
        """Return the ids of each text, None for a text of unknown words only."""
        return [self._known_ids(encoding) for encoding in self._encode(texts)]

    def _known_ids(self, encoding: Encoding) -> list[int] | None:
        ids = list(encoding.ids)
        pairs = zip(ids, encoding.special_tokens_mask, strict=True)
        return ids if any(not special and token != self._unknown_id for token, special in pairs) else None


def _open(path: Path) -> tokenizers.Tokenizer:
    if path.suffix == ".gz":
        return clip_tokenizer(path)
    check_size(path)
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except BaseException as error:  # the library raises plain Exception, or a BaseException for a panic
        raise_interrupt(error)
        raise ModelError(f"{path} is not a tokenizer: {first_line(error)}", hint=RENEW) from error
    check_tokenizer(path, tokenizer)
    return tokenizer


def _truncate(path: Path, tokenizer: tokenizers.Tokenizer, context_length: int) -> None:
    marks = int(tokenizer.num_special_tokens_to_add(False))
    if marks >= context_length:
        raise ModelError(
            expected=f"fewer special tokens than the {context_length} of a text in {path}",
            got=str(marks),
            hint=RENEW,
        )
    tokenizer.enable_truncation(context_length)


def raise_interrupt(error: BaseException) -> None:
    """Raise the error again if it is not one of the library: Ctrl-C, or the end of the process."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        raise error


def first_line(error: BaseException) -> str:
    """Return the first line of a message, cut for an error message."""
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def shorten(text: str, characters: int = 40) -> str:
    """Return the text in quotes, truncated for an error message."""
    return repr(text if len(text) <= characters else text[:characters] + "…")
