import pytest

from snapseek.errors import ModelError
from snapseek.models.text.tokenizer import canonical
from snapseek.models.text.tokenizer_config import TokenizerConfig


@pytest.mark.parametrize(
    ("config", "lengths", "length", "clean"),
    [
        ({}, {}, 77, "none"),
        ({"text_config": {"max_position_embeddings": 32}}, {}, 32, "none"),
        ({"model_type": "siglip", "text_config": {}}, {}, 64, "lower"),
        ({"model_type": "siglip2", "text_config": None}, {}, 64, "lower"),
        (
            {"text_cfg": {"context_length": 64, "tokenizer_kwargs": {"clean": "canonicalize"}}},
            {},
            64,
            "canonical",
        ),
        ({"text_cfg": {"context_length": 64, "tokenizer_kwargs": {"clean": "lower"}}}, {}, 64, "lower"),
        ({"model_cfg": {"text_cfg": {"context_length": 20}}}, {}, 20, "none"),
        ({"max_position_embeddings": 512}, {"max_seq_length": 128}, 128, "none"),
        ({"max_position_embeddings": 512}, {}, 512, "none"),
        ({"text_cfg": [], "text_config": 3}, {}, 77, "none"),
    ],
)
def test_context_length_and_cleaning_of_each_config_dialect(config, lengths, length, clean):
    assert TokenizerConfig.of(config, lengths) == TokenizerConfig(length, clean)


@pytest.mark.parametrize("length", [0, 1, 1e30, 9_000, "77", True])
def test_invalid_context_length_is_rejected(length):
    with pytest.raises(ModelError, match="between 2 and 8192"):
        TokenizerConfig.of({"text_config": {"max_position_embeddings": length}}, {})


def test_canonical_text():
    assert canonical(" Two  dogs, on_the Beach!\n") == "two dogs on the beach"
