"""The folder of a student: files, loading, and libraries that accept it, without training."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from snapseek.distil.student import update_metadata, write_folder, write_text_tower
from snapseek.errors import InputError, ModelError, ModelMismatchError, StorageError
from snapseek.library import Library
from snapseek.models import Encoder
from snapseek.models.hub.check import check_model
from snapseek.models.onnx.session import OnnxSession
from tests.conftest import write_pictures
from tests.support.students import DIM, hearing_weights, static_weights, transformer_weights, write_student
from tests.support.tiny_model import write_tiny_model

TEXTS = ["red", "a photo", "blue green white", "yellow a photo black"]


@pytest.fixture
def student(tmp_path, encoder):
    write_student(tmp_path / "student", static_weights(), encoder, {"kind": "static"})
    return tmp_path / "student"


@pytest.mark.parametrize(
    "weights",
    [static_weights(), hearing_weights(), transformer_weights()],
    ids=["static", "neighbours", "transformer"],
)
def test_the_exported_graph_matches_the_reference(tmp_path, encoder, weights):
    write_student(tmp_path / "student", weights, encoder, {})
    loaded = Encoder.load(tmp_path / "student")
    expected = weights.embed(encoder.text.token_ids(TEXTS))
    assert ((loaded.embed_texts(TEXTS) * expected).sum(axis=1) > 0.999).all()  # its rows are int8
    np.testing.assert_allclose(
        loaded.text.embed_ids(loaded.text.token_ids(TEXTS)), loaded.embed_texts(TEXTS), atol=1e-5
    )
    assert loaded.text.config.unpadded
    assert loaded.text.config.batch_safe


def test_neighbours_hear_the_order_of_tokens_and_rows_alone_do_not():
    plain, hearing = static_weights(seed=1), hearing_weights(seed=1)
    np.testing.assert_allclose(plain.embed([[4, 5, 6]]), plain.embed([[6, 4, 5]]), atol=1e-6)
    assert np.abs(hearing.embed([[4, 5, 6]]) - hearing.embed([[6, 4, 5]])).max() > 0.01


@pytest.mark.parametrize(
    "weights", [hearing_weights(), transformer_weights()], ids=["neighbours", "transformer"]
)
def test_padding_changes_nothing(tmp_path, weights):
    write_text_tower(tmp_path / "text.onnx", weights, DIM)
    tower = OnnxSession(tmp_path / "text.onnx")
    said = [
        tower.run({"input_ids": np.array([ids]), "attention_mask": np.array([mask])}, ["text_embeds"])[0]
        for ids, mask in (([4, 5, 6], [1, 1, 1]), ([4, 5, 6, 7, 8], [1, 1, 1, 0, 0]))
    ]
    np.testing.assert_allclose(said[0], said[1], atol=1e-5)


def test_it_names_its_teacher(student, encoder, tiny_model):
    loaded = Encoder.load(student)
    assert (loaded.teacher.name, loaded.teacher.fingerprint) == (str(tiny_model), encoder.fingerprint)
    assert loaded.space == encoder.space == encoder.fingerprint
    assert loaded.fingerprint != encoder.fingerprint
    assert loaded.files.layout.kind == "student"
    assert encoder.teacher is None
    assert not list(student.rglob("*vision*"))


def test_pictures_are_its_teachers(student, encoder, folder):
    with Image.open(folder / "red.jpg") as image:
        pictures = [image.convert("RGB")]
    loaded = Encoder.load(student)
    np.testing.assert_array_equal(loaded.embed_images(pictures), encoder.embed_images(pictures))
    assert loaded.image.picture_side_px == encoder.image.picture_side_px


def test_a_library_of_the_teacher_takes_the_student(student, library):
    opened = Library.open(library.info().path, encoder=Encoder.load(student))
    assert len(opened.search("red", limit=3)) == 3


def test_a_library_of_another_model_does_not(student, tmp_path):
    other = write_tiny_model(tmp_path / "other", mean=(0.4,) * 3)
    pictures = write_pictures(tmp_path / "pictures")
    built = Library.build(pictures, tmp_path / "library", encoder=Encoder.load(other))
    with pytest.raises(ModelMismatchError, match="which made the library"):
        Library.open(built.info().path, encoder=Encoder.load(student))


def test_a_library_made_with_the_student_is_one_of_the_teacher(student, folder, tmp_path, encoder):
    Library.build(folder, tmp_path / "library", encoder=Encoder.load(student))
    assert len(Library.open(tmp_path / "library", encoder=encoder).search("red", limit=1)) == 1
    assert len(Library.open(tmp_path / "library").search("red", limit=1)) == 1


def test_the_student_of_a_student_has_the_same_teacher(student, tmp_path, encoder):
    write_student(tmp_path / "second", static_weights(1), Encoder.load(student), {})
    assert Encoder.load(tmp_path / "second").teacher == Encoder.load(student).teacher


def test_a_teacher_that_has_changed_is_noticed(tmp_path):
    teacher = write_tiny_model(tmp_path / "teacher")
    write_student(tmp_path / "student", static_weights(), Encoder.load(teacher), {})
    write_tiny_model(teacher, mean=(0.1,) * 3)
    loaded = Encoder.load(tmp_path / "student")
    with pytest.raises(ModelMismatchError, match="distil the student again"):
        loaded.embed_images([Image.new("RGB", (8, 8))])
    assert loaded.embed_texts(["red"]).shape == (1, 3)


def test_the_rules_for_words_come_along(tmp_path):
    encoder = Encoder.load("starter")
    write_student(
        tmp_path / "student", static_weights(0, encoder.dim, encoder.text.tokenizer.size), encoder, {}
    )
    loaded = Encoder.load(tmp_path / "student")
    assert loaded.text.tokenizer.context_length == encoder.text.tokenizer.context_length
    assert loaded.text.token_ids(["a red dog"]) == encoder.text.token_ids(["a red dog"])
    assert loaded.text.tokenizer.pad_id == encoder.text.tokenizer.pad_id
    with pytest.raises(InputError, match="knows no word"):
        loaded.embed_texts(["\U0001f9ff"])


def test_the_report_names_the_teacher(student, tiny_model):
    assert check_model(str(student))["teacher"].startswith(str(tiny_model))


def test_metadata_is_added_to_a_student(student):
    update_metadata(student, {"figures": {"cosine_mean": 0.9}})
    content = json.loads((student / "student.json").read_text())
    assert content["figures"] == {"cosine_mean": 0.9}
    assert content["kind"] == "static"
    assert Encoder.load(student).teacher is not None


def test_an_older_student_is_replaced_and_nothing_else(student, encoder, tmp_path):
    write_student(student, transformer_weights(), encoder, {"kind": "transformer"})
    assert json.loads((student / "student.json").read_text())["kind"] == "transformer"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="got something else"):
        write_student(tmp_path / "mine", static_weights(), encoder, {})
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_folder_that_cannot_be_written_is_an_error(encoder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        write_student(tmp_path / "file" / "student", static_weights(), encoder, {})


@pytest.mark.parametrize("name", ["onnx/text_model.onnx", "tokenizer.json", "config.json"])
def test_a_student_with_a_missing_file_is_refused(student, name):
    (student / name).unlink()
    with pytest.raises(ModelError, match="has no file"):
        Encoder.load(student)


def test_it_may_be_moved(student, tmp_path, encoder):
    shutil.move(student, tmp_path / "elsewhere")
    assert Encoder.load(tmp_path / "elsewhere").space == encoder.fingerprint


def test_a_tower_that_cannot_be_written_leaves_the_older_student(student, encoder):
    before = sorted(path.relative_to(student.parent) for path in student.parent.rglob("*"))

    def write_tower(path):
        path.write_bytes(b"half of it")
        raise ModelError("the teacher's graph is damaged")

    with pytest.raises(ModelError, match="damaged"):
        write_folder(student, write_tower, encoder, {})
    assert sorted(path.relative_to(student.parent) for path in student.parent.rglob("*")) == before
    assert Encoder.load(student).teacher.fingerprint == encoder.fingerprint
