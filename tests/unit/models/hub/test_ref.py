import re

import pytest

from snapseek.models.catalogue import CATALOGUE, find_entry
from snapseek.models.hub.layout import Layout
from snapseek.models.hub.ref import ModelRef


@pytest.mark.parametrize(
    ("name", "repo", "revision", "size", "folder"),
    [
        ("maker/clip", "maker/clip", "main", None, "maker--clip"),
        ("maker/clip-v1.5@v2", "maker/clip-v1.5", "v2", None, "maker--clip-v1.5--v2"),
        ("maker/clip:s0", "maker/clip", "main", "s0", "maker--clip--s0"),
        ("maker/clip@main:s0", "maker/clip", "main", "s0", "maker--clip--main--s0"),
    ],
)
def test_repositories_by_name(name, repo, revision, size, folder):
    wanted = ModelRef.parse(name)
    assert (wanted.repo, wanted.revision, wanted.size, wanted.folder) == (repo, revision, size, folder)


@pytest.mark.parametrize(
    "name", ["clip", "a/b/c", "../clip", "maker/..", "/abs", "a/b c", "", "./clip", "m/c@x/y"]
)
def test_other_texts_are_not_model_references(name):
    assert ModelRef.parse(name) is None


def test_a_name_of_the_catalogue():
    wanted = ModelRef.parse("openclip-vit-b-32")
    assert wanted.repo == "amikos/openclip-vit-b-32-laion2b-s34b-b79k-onnx"
    assert "tokenizer.json" in wanted.paths()


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry):
    assert find_entry(entry.name) is entry
    assert re.fullmatch(r"[a-z0-9-]+", entry.name)
    assert re.fullmatch(r"[0-9a-f]{40}|main", entry.revision)
    assert entry.good_for
    assert entry.licence in ("MIT", "Apache-2.0")
    assert set(entry.files) <= set(Layout.__dataclass_fields__)
    for pin in (*entry.pins, *(pin for companion in entry.companions for _, pin in companion.files)):
        assert pin.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", pin.sha256)
    known = sum(pin.size_bytes or 0 for pin in entry.pins)
    assert entry.size_mb is None or known <= entry.size_mb * 1e6


def test_names_are_used_once():
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    assert find_entry("starter") is None
