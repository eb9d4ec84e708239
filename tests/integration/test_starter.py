"""The shipped starter model: the pinned files, two towers of one space, everyday words that find pictures.

How it was made and how good it is: `docs/MODELS.md`; how it is measured: `models/starter/evaluate.py`.
"""

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from snapseek.errors import InputError
from snapseek.images import open_image
from snapseek.models import Encoder
from tests.support.model_specimens import write_split
from tests.support.once import once

REPOSITORY = Path(__file__).resolve().parents[2]
STARTER = REPOSITORY / "python" / "snapseek" / "models" / "starter"
PICTURES = REPOSITORY / "python" / "snapseek" / "demo" / "pictures"
MODELS_PAGE = REPOSITORY / "docs" / "MODELS.md"
MOST_BYTES = 20_000_000

# The first picture of the demo set in the wheel for each of these, and what it has to be.
FIRST = {
    "a dog": "dog|retriever",
    "a photo of a kitten": "kitten|cat",
    "dogs": "dog|retriever",
    "giant panda": "giant-panda",
    "parrot": "macaw|lorikeet",
    "polar bear": "polar-bear",
    "coffee": "espresso|tea-cup",
    "hammer": "hammer",
    "drums": "drum",
    "hot air balloon": "hot-air-balloon",
    "solar panels": "solar",
    "castle": "castle|carcassonne|mont-saint",
    "goldfish": "goldfish|discus|orange-fish",
    "sports car": "sports-car",
    "frying pan": "frying-pan",
}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load("starter")


@pytest.fixture(scope="module")
def demo(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], np.ndarray]:
    paths = sorted(PICTURES.rglob("*.jpg"))

    def embed(folder: Path) -> None:
        np.save(folder / "rows.npy", encoder.embed_images([open_image(path).image for path in paths]))

    return [path.stem for path in paths], np.load(once(tmp_path_factory, "starter", embed) / "rows.npy")


def pinned() -> dict[str, str]:
    lines = (STARTER / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ") for line in lines)}


def session(tower: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(STARTER / "onnx" / f"{tower}_model.onnx")


def embed_ids(rows: list[list[int]], width: int) -> np.ndarray:
    """(n, 396) of token rows, padded to `width`."""
    ids = np.array([row + [0] * (width - len(row)) for row in rows], np.int64)
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int64)
    return session("text").run(None, {"input_ids": ids, "attention_mask": mask})[0]


def test_every_shipped_file_is_the_pinned_one():
    shipped = {path.relative_to(STARTER).as_posix() for path in STARTER.rglob("*") if path.is_file()}
    assert shipped - {"SHA256SUMS", "NOTICE.md", "examples.json", "background.json"} == set(pinned())
    for name, digest in pinned().items():
        assert hashlib.sha256((STARTER / name).read_bytes()).hexdigest() == digest, name


def test_it_stays_small():
    assert sum(path.stat().st_size for path in STARTER.rglob("*.onnx")) < MOST_BYTES


def test_the_page_about_models_names_the_pinned_graphs():
    page = MODELS_PAGE.read_text()
    for name in ("onnx/text_model.onnx", "onnx/vision_model.onnx", "tokenizer.json"):
        assert pinned()[name] in page, name


def test_the_graphs_look_like_exports_of_clip():
    text, image = session("text"), session("vision")
    assert {i.name: i.type for i in text.get_inputs()} == {
        "input_ids": "tensor(int64)",
        "attention_mask": "tensor(int64)",
    }
    assert all(isinstance(side, str) for i in text.get_inputs() for side in i.shape)
    (pixels,) = image.get_inputs()
    size = json.loads((STARTER / "preprocessor_config.json").read_text())["size"]
    assert (pixels.name, pixels.shape[1:]) == ("pixel_values", [3, size["height"], size["width"]])
    (words,), (picture,) = text.get_outputs(), image.get_outputs()
    assert (words.name, picture.name) == ("text_embeds", "image_embeds")
    assert words.shape[1] == picture.shape[1]
    assert words.shape[1] == json.loads((STARTER / "config.json").read_text())["projection_dim"]


def test_padding_and_batching_change_nothing():
    rows = [[101, 1037, 3899, 102], [101, 2417, 6546, 1999, 1037, 18781, 102], [101, 4586, 102]]
    together = embed_ids(rows, 20)
    alone = np.concatenate([embed_ids([row], len(row)) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    np.testing.assert_allclose(embed_ids(rows, 64), alone, atol=1e-6)


def test_the_order_of_words_means_nothing_but_the_words_do():
    one, same, other = embed_ids([[101, 2417, 6546, 102], [101, 6546, 2417, 102], [101, 2630, 6546, 102]], 4)
    np.testing.assert_allclose(one, same, atol=1e-6)
    assert one @ other < 0.95


def test_rows_are_unit(encoder, demo):
    texts = encoder.embed_texts(["dog", "a very long query about old red cars by the sea at night", "qwxzv"])
    for rows in (texts, demo[1]):
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert texts.shape[1] == demo[1].shape[1] == encoder.dim


@pytest.mark.parametrize("colour", ["black", "white", "grey", "red"])
def test_a_plain_picture_has_a_row_too(encoder, colour):
    row = encoder.embed_images([Image.new("RGB", (64, 64), colour)])[0]
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("query", FIRST)
def test_everyday_words_find_their_picture_first(encoder, demo, query):
    names, rows = demo
    best = names[int(np.argmax(rows @ encoder.embed_texts([query])[0]))]
    assert re.search(FIRST[query], best), best


@pytest.mark.parametrize("colour", ["red", "green", "blue", "yellow", "white", "black"])
def test_a_colour_word_draws_pictures_of_that_colour(encoder, colour):
    shades = ["red", "green", "blue", "yellow", "white", "black"]
    rows = encoder.embed_images([Image.new("RGB", (64, 64), shade) for shade in shades])
    plain, coloured = encoder.embed_texts(["wall", f"{colour} wall"])
    gain = rows @ coloured - rows @ plain
    assert shades[int(np.argmax(gain))] == colour


def test_unknown_words_are_refused(encoder):
    with pytest.raises(InputError):
        encoder.embed_texts(["🐶"])


def test_the_examples_are_a_dozen_different_queries():
    examples = json.loads((STARTER / "examples.json").read_text())["examples"]
    assert len(set(examples)) == len(examples) == 12
    assert all(isinstance(query, str) and 0 < len(query) <= 40 for query in examples)


def test_a_noun_of_another_language_is_embedded_as_its_english_one(encoder: Encoder) -> None:
    german = ["rotes Auto", "Katzen", "ein Hund am Strand"]
    english = encoder.embed_texts(["red car", "cats", "dog at beach"])
    np.testing.assert_array_equal(encoder.embed_texts(german), english)
    ahead = Encoder.load("starter")
    ahead.embed_ahead(german)
    np.testing.assert_allclose(ahead.embed_texts(german), english, atol=1e-5)
    assert ahead.text.knows(["Hund"]) == [True]


def test_other_languages_leave_the_fingerprint_as_libraries_have_it(encoder: Encoder) -> None:
    assert encoder.fingerprint == json.loads((STARTER / "background.json").read_text())["fingerprint"]


def test_only_the_starter_and_its_students_translate(encoder: Encoder, tmp_path: Path) -> None:
    write_split(tmp_path / "clip")
    assert Encoder.load(tmp_path / "clip").translate("Hund") is None
    copy = shutil.copytree(STARTER, tmp_path / "student")
    teacher = {"teacher": {"name": "starter", "fingerprint": encoder.fingerprint}}
    (copy / "student.json").write_text(json.dumps(teacher))
    student = Encoder.load(copy)
    assert student.teacher is not None
    np.testing.assert_array_equal(student.embed_texts(["Hund"]), encoder.embed_texts(["dog"]))
