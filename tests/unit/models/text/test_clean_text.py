# ruff: noqa: RUF001  (characters that look like others are what is tested)
"""Texts from keyboards, word processors and web pages, as the training texts of CLIP."""

import json
from pathlib import Path

import pytest

from snapseek.models.text.bpe import END, START
from snapseek.models.text.clean_text import clean_text
from snapseek.models.text.tokenizer import Tokenizer
from tests.support.model_zoo import put_merges

REFERENCE = json.loads(Path(__file__).with_name("open_clip_tokens.json").read_text("utf-8"))
"""What the tokenizer of OpenCLIP returns, and the merges of CLIP that it used: see `source`."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> Tokenizer:
    path = tmp_path_factory.mktemp("clip") / "bpe_simple_vocab_16e6.txt.gz"
    put_merges(path, [tuple(merge.split(" ")) for merge in REFERENCE["merges"]])
    return Tokenizer(path, {}, 77)


@pytest.mark.parametrize("row", REFERENCE["texts"], ids=lambda row: ascii(row["text"])[:60])
def test_tokens_equal_those_of_open_clip(tokenizer, row):
    ids = tokenizer.ids([row["text"]])[0]
    tokens = [tokenizer._tokenizer.id_to_token(index) for index in ids]
    assert tokens == [START, *row["tokens"], END]


def test_the_reference_covers_sixty_texts():
    assert len(REFERENCE["texts"]) >= 60
    assert "open_clip_torch" in REFERENCE["source"]


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("a dog’s bowl", "a dog's bowl"),
        ("a dogʼs bowl", "a dog's bowl"),
        ("“dog”", '"dog"'),
        ("ＤＯＧ　ｈｏｕｓｅ", "DOG house"),
        ("oﬃce", "office"),
        ("cats &amp;amp; dogs", "cats & dogs"),
        ("itâ€™s", "it's"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("  a\n\n dog\t", "a dog"),
        ("", ""),
    ],
)
def test_odd_forms_become_plain(odd, plain):
    assert clean_text(odd) == plain


@pytest.mark.parametrize(
    "text", ["a dog — on a beach", "naïve", "façade", "犬と猫", "собака", "🐶", "5 < 6 > 4"]
)
def test_other_texts_stay_as_they_are(text):
    assert clean_text(text) == text


def test_the_vector_of_an_odd_form_is_that_of_the_plain_one(encoder):
    odd, plain = encoder.embed_texts(["ｒｅｄ“ﬁ", 'red"fi'])
    assert odd.tolist() == plain.tolist()
