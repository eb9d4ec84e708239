"""Build CLIP's byte-pair encoding (BPE) from its list of merges, for a model without `tokenizer.json`."""

import gzip
import zlib
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from snapseek.errors import RENEW, ModelError

START, END = "<|startoftext|>", "<|endoftext|>"
_WORD_END = "</w>"
_MERGES = 49_408 - 512 - 2  # the vocabulary without two alphabets and two special tokens
_MAX_BYTES = 32 << 20
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


def clip_tokenizer(path: Path) -> Tokenizer:
    """Load `bpe_simple_vocab_16e6.txt.gz`. Raises ModelError if the file is damaged."""
    alphabet = _alphabet()
    pairs = _merges(path)
    words = [*alphabet, *(letter + _WORD_END for letter in alphabet), *("".join(pair) for pair in pairs)]
    vocabulary = {word: index for index, word in enumerate([*words, START, END])}
    try:
        model = models.BPE(vocabulary, pairs, end_of_word_suffix=_WORD_END, unk_token=END)
    except Exception as error:  # the library raises plain Exception
        raise ModelError(f"{path} is not the list of merges of CLIP: {error}", hint=RENEW) from error
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens([START, END])
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])]
    )
    return tokenizer


def _alphabet() -> list[str]:
    """Return the 256 characters for bytes, in CLIP's order: printable bytes first."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(hidden))]


def _merges(path: Path) -> list[tuple[str, str]]:
    try:
        with gzip.open(path) as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError("more than 32 MB")
        lines = content.decode().split("\n")[1 : 1 + _MERGES]
        if not lines:
            raise ValueError("it lists none")
        return [_pair(line) for line in lines if line]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise ModelError(f"{path} is not the list of merges of CLIP: {error}", hint=RENEW) from error


def _pair(line: str) -> tuple[str, str]:
    left, right = line.split()
    return left, right
