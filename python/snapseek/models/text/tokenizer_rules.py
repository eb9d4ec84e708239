"""Rules for a tokenizer from a stranger: its size, its regular expressions, the growth of texts."""

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snapseek.errors import ModelError
from snapseek.models.text.regex_rules import pattern_problem

MAX_TOKENIZER_BYTES = 64 << 20
"""Size of `tokenizer.json`; that of Gemma with 256,000 tokens has 34 MB."""

MAX_VOCABULARY = 1_000_000
MAX_GROWTH = 16
"""How many times longer a text may become by all replacements together."""

MAX_MAPPED_BYTES = 128
"""Length of what one character is mapped to; that of the longest ligature of Arabic has 33 bytes."""

_HINT = "use the tokenizer of the model's authors"


def check_size(path: Path) -> None:
    """Raise ModelError for a file that is too large to be a tokenizer."""
    size_bytes = path.stat().st_size
    if size_bytes > MAX_TOKENIZER_BYTES:
        raise _refused(
            f"a tokenizer of at most {MAX_TOKENIZER_BYTES >> 20} MiB", f"{size_bytes} bytes in {path}"
        )


def check_tokenizer(path: Path, tokenizer: Any) -> None:
    """Raise ModelError if a loaded tokenizer of the library `tokenizers` breaks a rule."""
    size = tokenizer.get_vocab_size()
    if size > MAX_VOCABULARY:
        raise _refused(f"at most {MAX_VOCABULARY} tokens in {path}", str(size))
    normalizer = list(_steps(tokenizer.normalizer))
    for step in (*normalizer, *_steps(tokenizer.pre_tokenizer)):
        pattern = step["pattern"].get("Regex") if isinstance(step.get("pattern"), dict) else None
        if pattern is not None and (problem := pattern_problem(str(pattern))):
            raise _refused(f"regular expressions that cannot backtrack for long in {path}", problem)
    if (growth := _growth(normalizer)) > MAX_GROWTH:
        raise _refused(
            f"a normalizer that makes texts at most {MAX_GROWTH} times longer in {path}", f"{growth} times"
        )
    for step in normalizer:
        longest = _longest_mapped(step.get("precompiled_charsmap"))
        if longest > MAX_MAPPED_BYTES:
            raise _refused(
                f"a character map with at most {MAX_MAPPED_BYTES} bytes for a character in {path}",
                f"{longest} bytes",
            )


def _steps(component: Any) -> Iterator[dict[str, Any]]:
    """Yield the settings of a component, and those of the steps in it."""
    pending = [] if component is None else [json.loads(component.__getstate__())]
    while pending:
        state = pending.pop()
        if isinstance(state, dict):
            yield state
            pending += state.values()
        elif isinstance(state, list):
            pending += state


def _growth(steps: list[dict[str, Any]]) -> int:
    growth = 1
    for step in steps:
        growth *= max(1, len(str(step.get("content", ""))))
        growth += len(str(step.get("prepend", "")))
    return growth


def _longest_mapped(encoded: Any) -> int:
    """Return the longest text of a character map of SentencePiece: a trie, then texts that end with 0."""
    if not isinstance(encoded, str):
        return 0
    try:
        content = base64.b64decode(encoded)
    except (binascii.Error, ValueError):
        return MAX_MAPPED_BYTES + 1
    texts = content[4 + int.from_bytes(content[:4], "little") :]
    return max(map(len, texts.split(b"\0")))


def _refused(expected: str, got: str) -> ModelError:
    return ModelError(expected=expected, got=got, hint=_HINT)
