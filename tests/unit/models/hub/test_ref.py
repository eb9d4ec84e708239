import pytest

from snapseek.models.catalogue import TIERS
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
    assert "tokenizer.json" in [pin.path for pin in wanted.pins]
    assert list(wanted.companions()) == [
        ("Xenova/clip-vit-base-patch32", "d15189d7028b43f1d3e65039190477f6af591c2a")
    ]


@pytest.mark.parametrize("tier", ["small", "recommended", "best"])
def test_a_tier_is_its_entry(tier):
    wanted = ModelRef.parse(tier)
    assert wanted == ModelRef.parse(TIERS[tier])
    assert wanted.name == wanted.folder == TIERS[tier]
