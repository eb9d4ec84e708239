import re

import pytest

from snapseek.models.catalogue import CATALOGUE, RECOMMENDED, TIERS, entry_name, find_entry, model_names
from snapseek.models.hub.layout import choose_layout

CONFIGS = ("config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json")
OTHER_FILES = {
    "vit-b-32-256-datacomp": ("tokenizer/bpe_simple_vocab_16e6.txt.gz",),
    "clip-multilingual": ("1_Pooling/config.json", "2_Dense/config.json"),
}


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry):
    assert find_entry(entry.name) is entry
    assert re.fullmatch(r"[a-z0-9-]+", entry.name)
    assert entry.purpose[0].isupper() or entry.purpose[0].islower()
    assert entry.licence in ("MIT", "Apache-2.0")
    assert entry.languages is None or all(re.fullmatch("[a-z]{2}", code) for code in entry.languages)
    assert entry.reference is None or find_entry(entry.reference).reference is None
    assert not entry.needs_check or entry.reference
    assert 15e6 < entry.size_bytes < 800e6


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_every_file_is_pinned_to_a_commit(entry):
    assert re.fullmatch(r"[0-9a-f]{40}", entry.revision)
    for pin in entry.pins:
        assert pin.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", pin.sha256)
        assert (pin.repo is None) == (pin.revision is None)
        assert pin.revision is None or re.fullmatch(r"[0-9a-f]{40}", pin.revision)
        assert not (pin.size_bytes and pin.about_bytes)
        assert pin.known_bytes or pin.path.endswith("config.json"), "the size of a large file is missing"
    assert len({pin.path for pin in entry.pins}) == len(entry.pins)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_layout_of_an_entry_needs_its_pinned_files(entry):
    pinned = {pin.path for pin in entry.pins}
    layout = choose_layout(pinned | {*CONFIGS, *OTHER_FILES.get(entry.name, ())}, named=entry.layout)
    graphs = {layout.text_graph, layout.image_graph}
    assert graphs <= pinned
    assert {path for path in pinned if path.endswith(".onnx")} == graphs
    assert layout.tokenizer == "tokenizer.json"
    in_text = {pin.path for pin in entry.text}
    assert layout.text_graph in in_text
    assert (layout.image_graph in in_text) == (layout.text_graph == layout.image_graph)


def test_names_are_used_once():
    names = model_names()
    assert len(set(names)) == len(names)
    assert find_entry("starter") is None


def test_tiers_become_larger_and_better():
    assert list(TIERS) == ["small", "recommended", "best"]
    small, recommended, best = (find_entry(tier) for tier in TIERS)
    assert (recommended.name, entry_name("recommended")) == (RECOMMENDED, RECOMMENDED)
    assert small.size_bytes < 30e6 < recommended.size_bytes
    assert small.imagenet < recommended.imagenet < best.imagenet
    assert recommended.coco < best.coco
    assert not any(entry.needs_check for entry in (small, recommended, best))


def test_other_names_stay():
    assert [entry_name(name) for name in ("starter", "owner/name", "./best", "Best")] == [
        "starter",
        "owner/name",
        "./best",
        "Best",
    ]
