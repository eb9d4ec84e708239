import pytest

from snapseek.errors import ModelError
from snapseek.models.hub.layout import choose_layout, read_config

CONFIGS = ["config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"]
SPLIT = ["onnx/text_model.onnx", "onnx/vision_model.onnx", *CONFIGS]


def test_preferred_precision_of_a_graph():
    more = ["onnx/text_model_fp16.onnx", "onnx/text_model_q4.onnx", "onnx/vision_model_quantized.onnx"]
    layout = choose_layout([*SPLIT, *more, "onnx/model.onnx", "onnx/model_quantized.onnx"])
    assert (layout.kind, layout.text_graph, layout.image_graph) == ("split", SPLIT[0], SPLIT[1])
    int8 = [path.replace("model.onnx", "model_quantized.onnx") for path in SPLIT]
    assert choose_layout(int8).image_graph == "onnx/vision_model_quantized.onnx"


def test_root_files_may_be_in_the_folder_of_the_graphs():
    folder = ["onnx/tokenizer.json" if path == "tokenizer.json" else path for path in SPLIT]
    assert choose_layout(folder).tokenizer == "onnx/tokenizer.json"


def test_the_merges_of_clip_replace_a_tokenizer_file():
    paths = [*SPLIT, "bpe_simple_vocab_16e6.txt.gz"]
    paths.remove("tokenizer.json")
    assert choose_layout(paths).tokenizer == "bpe_simple_vocab_16e6.txt.gz"


def test_a_split_model_with_a_pooling_folder_is_split():
    more = ["onnx/model.onnx", "1_Pooling/config.json"]
    assert choose_layout([*SPLIT, *more]).kind == "split"


def test_one_size_needs_no_name_and_is_found_by_name():
    b = ["onnx/b/text_model.onnx", "onnx/b/vision_model.onnx"]
    s0 = ["onnx/s0/text_model.onnx", "onnx/s0/vision_model.onnx"]
    assert choose_layout([*b, *CONFIGS]).kind == "size folder"
    assert choose_layout([*b, *s0, *CONFIGS], size="s0").text_graph == "onnx/s0/text_model.onnx"
    with pytest.raises(ModelError, match="expected the graphs of a model"):
        choose_layout([*b, *s0, *CONFIGS], size="l14")


@pytest.mark.parametrize("missing", [path for path in SPLIT if path != "tokenizer_config.json"])
def test_what_is_missing_is_named(missing):
    with pytest.raises(ModelError, match=missing.rpartition("/")[2]):
        choose_layout([path for path in SPLIT if path != missing])


@pytest.mark.parametrize(
    "paths",
    [
        ["textual/model.onnx", "textual/tokenizer.json", "visual/preprocess_cfg.json"],
        ["visual/model.onnx", "textual/tokenizer.json", "visual/preprocess_cfg.json"],
        ["x/textual.onnx", "tokenizer/bpe_simple_vocab_16e6.txt.gz"],
        ["x/textual.onnx", "x/visual.onnx"],
        ["onnx/model.onnx", "1_Pooling/config.json", "tokenizer.json"],
        ["onnx/model.onnx", "tokenizer.json"],
        ["onnx/model_fp16.onnx", *CONFIGS],
    ],
)
def test_an_incomplete_model_is_rejected(paths):
    with pytest.raises(ModelError, match=r"the model has no file|float16"):
        choose_layout(paths)


def test_files_of_the_text_tower():
    assert choose_layout(SPLIT).text_files() == set(SPLIT) - {"onnx/vision_model.onnx"}


@pytest.mark.parametrize("content", ["", "[]", "3", "[" * 100_000, "{" + " " * (5 << 20) + "}"])
def test_an_invalid_configuration_is_rejected(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        read_config(tmp_path / "config.json")
    assert read_config(None) == {}
