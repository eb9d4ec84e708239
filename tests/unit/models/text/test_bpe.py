import gzip
import itertools

import pytest

from snapseek.errors import ModelError
from snapseek.models.text.bpe import clip_tokenizer
from tests.support.model_zoo import END, START, merges_of, put_merges


@pytest.fixture
def tokenizer(tmp_path):
    pairs, ids = merges_of(["photo", "dog"])
    put_merges(tmp_path / "bpe.txt.gz", pairs)
    return clip_tokenizer(tmp_path / "bpe.txt.gz"), ids


def test_text_is_encoded_between_special_tokens(tokenizer):
    clip, ids = tokenizer
    assert clip.encode("photo dog").ids == [ids[START], ids["photo"], ids["dog"], ids[END]]
    assert clip.encode("  Photo\n\nDOG ").ids == clip.encode("photo dog").ids
    assert clip.encode("").ids == [ids[START], ids[END]]


def test_byte_characters_have_the_ids_of_clip(tokenizer):
    clip, _ = tokenizer
    # "!" is 0, "a" 64, "a" at the end of a word 320, as in the published vocabulary
    assert clip.encode("a").ids[1:-1] == [320]
    assert clip.encode("!").ids[1:-1] == [256]
    assert clip.encode("ab").ids[1:-1] == [64, 321]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("it's", ["i", "t</w>", "'", "s</w>"]),
        ("12a", ["1</w>", "2</w>", "a</w>"]),
        ("a,b!?", ["a</w>", ",</w>", "b</w>", "!", "?</w>"]),
        ("é", ["Ã", "©</w>"]),
        ("🐶", ["ð", "Ł", "Ĳ", "¶</w>"]),
    ],
)
def test_pre_tokenization_of_words(tokenizer, text, pieces):
    clip, _ = tokenizer
    found = clip.encode(text).tokens[1:-1]
    assert found == pieces


def test_the_whole_list_gives_the_published_numbers(tmp_path):
    letters = [chr(code) for code in (*range(33, 127), *range(174, 256), *range(256, 324))]
    pairs = list(itertools.islice(itertools.product(letters[:240], letters[:240]), 50_000))
    put_merges(tmp_path / "bpe.txt.gz", pairs)
    clip = clip_tokenizer(tmp_path / "bpe.txt.gz")
    assert (clip.token_to_id(START), clip.token_to_id(END)) == (49406, 49407)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not gzip",
        gzip.compress(b"header " * 50, mtime=0)[:12] + bytes(30),
        gzip.compress(b"header\none two three\n", mtime=0),
        gzip.compress(b"header\nunknown pieces\n", mtime=0),
        gzip.compress(b"\xff\xfe\nx y", mtime=0),
        gzip.compress(b"header\na b", mtime=0)[:-12],
    ],
)
def test_damage_is_a_sentence(tmp_path, content):
    path = tmp_path / "bpe.txt.gz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"bpe\.txt\.gz is not the list of merges of CLIP"):
        clip_tokenizer(path)
