"""`model=fast` uses the student, `full` the model itself: in Python, over HTTP, in the command."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from starlette.testclient import TestClient

from snapseek.cli import main
from snapseek.errors import ModelMismatchError, UnknownChoiceError
from snapseek.library import Library
from snapseek.models import Encoder
from snapseek.models.text.text_probe import PROBES
from snapseek.server import create_app
from tests.conftest import write_pictures
from tests.support.students import TOKENS, static_weights, write_student
from tests.support.tiny_model import write_tiny_model


@pytest.fixture
def taught(tmp_path, encoder):
    """A library with a student of random weights, whose results differ from those of its teacher."""
    library = Library.build(write_pictures(tmp_path / "pictures"), tmp_path / "library", encoder=encoder)
    write_student(tmp_path / "library" / "student", static_weights(5), encoder, {})
    return library


def scores(hits):
    return [hit.score for hit in hits]


def test_fast_uses_the_student_and_full_the_model(taught, tmp_path, encoder):
    student = Library.open(tmp_path / "library", encoder=Encoder.load(tmp_path / "library" / "student"))
    assert scores(taught.search("red", model="fast")) == scores(student.search("red"))
    assert scores(taught.search("red")) == scores(taught.search("red", model="full"))
    assert scores(taught.search("red")) != scores(taught.search("red", model="fast"))


def test_without_a_student_fast_is_full(library):
    assert library.fast_encoder is None
    assert scores(library.search("red", model="fast")) == scores(library.search("red"))


def test_an_unknown_model_is_refused(library):
    with pytest.raises(UnknownChoiceError, match="one of full, fast, got 'slow'"):
        library.search("red", model="slow")


def test_a_student_of_another_model_is_refused(library, tmp_path):
    other = Encoder.load(write_tiny_model(tmp_path / "other", mean=(0.4,) * 3))
    write_student(tmp_path / "student", static_weights(), other, {})
    with pytest.raises(ModelMismatchError, match="which made the library"):
        Library.open(library.info().path).set_fast_encoder(tmp_path / "student")


def test_over_http(taught):
    client = TestClient(create_app(taught), base_url="http://127.0.0.1")
    full, fast = (client.get(f"/api/search?q=red&model={model}").json() for model in ("full", "fast"))
    assert [r["score"] for r in full["results"]] != [r["score"] for r in fast["results"]]
    assert client.get("/api/search?q=red").json()["results"] == full["results"]
    answer = client.get("/api/search?q=red&model=slow")
    assert answer.status_code == 400
    assert answer.json()["expected"] == "model to be one of full, fast"


def test_in_the_command(taught, tmp_path, capsys):
    answers = []
    for model in ("full", "fast"):
        assert main(["search", "red", "--library", str(tmp_path / "library"), "--model", model]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] != answers[1]


def test_serve_takes_a_student(library, tmp_path, encoder, monkeypatch, capsys):
    served = []
    monkeypatch.setattr("snapseek.server.serve", lambda library, **_: served.append(library))
    write_student(tmp_path / "student", static_weights(), encoder, {})
    command = ["serve", str(library.info().path), "--fast-model", str(tmp_path / "student")]
    assert main(command) == 0
    assert served[0].fast_encoder.teacher.fingerprint == encoder.fingerprint
    assert f"fast model {tmp_path / 'student'}" in capsys.readouterr().err.replace("\n", "")


def test_serve_takes_a_student_in_place_of_the_model(library, tmp_path, encoder, monkeypatch, capsys):
    served = []
    monkeypatch.setattr("snapseek.server.serve", lambda library, **_: served.append(library))
    write_student(tmp_path / "student", static_weights(5), encoder, {})
    assert main(["serve", str(library.info().path), "--model", str(tmp_path / "student")]) == 0
    assert served[0].encoder.teacher.fingerprint == encoder.fingerprint
    assert scores(served[0].search("red")) != scores(library.search("red"))
    other = Encoder.load(write_tiny_model(tmp_path / "other", mean=(0.4,) * 3))
    write_student(tmp_path / "stranger", static_weights(), other, {})
    assert main(["serve", str(library.info().path), "--model", str(tmp_path / "stranger")]) == 1
    assert "which made the library" in capsys.readouterr().err


def test_distil_needs_an_output_option(tiny_model, capsys):
    assert main(["distil", str(tiny_model)]) == 1
    assert "expected --out DIR" in capsys.readouterr().err


def test_distil_refuses_a_file_that_is_missing(tiny_model, tmp_path, capsys):
    command = ["distil", str(tiny_model), "--out", str(tmp_path / "s"), "--texts", str(tmp_path / "none.txt")]
    assert main(command) == 1
    assert "one text per line" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_vectors_are_those_of_the_pictures(library):
    assert library.snapshot().sample_vectors().shape == (6, 3)
    assert library.snapshot().sample_vectors(2).shape == (2, 3)


@pytest.fixture
def half_known(taught, tmp_path, encoder):
    """The same with a student that knows the words of probes only, such as red."""
    known = np.zeros(TOKENS, np.int64)
    tokens = sorted({token for ids in encoder.text.token_ids(PROBES) for token in ids})
    known[tokens] = 1 + np.arange(len(tokens))
    weights = static_weights(5, tokens=1 + len(tokens))
    weights.rows[0] = 0
    write_student(tmp_path / "library" / "student", replace(weights, row_of=known), encoder, {})
    return Library.open(tmp_path / "library", encoder=encoder)


def test_the_model_embeds_what_the_student_does_not_know(half_known):
    assert scores(half_known.search("red", model="fast")) != scores(half_known.search("red"))
    for words in ("blue", "red blue"):
        assert scores(half_known.search(words, model="fast")) == scores(half_known.search(words))


def test_an_answer_says_which_model_embedded_the_words(half_known, tmp_path):
    def used(words, model):
        return half_known.search(words, model=model).text_model

    assert [used("red", "fast"), used("red", "full"), used("blue", "fast")] == ["fast", "full", "full"]
    assert half_known.search(half_known.browse(1)[0].id, model="fast").text_model is None
    client = TestClient(create_app(half_known), base_url="http://127.0.0.1")
    found = [client.get(f"/api/search?q={q}&model=fast").json()["text_model"] for q in ("red", "blue", "red")]
    assert found == ["fast", "full", "fast"]


def test_a_student_that_is_made_later_is_used(taught, tmp_path, encoder):
    shutil.rmtree(tmp_path / "library" / "student")
    opened = Library.open(tmp_path / "library", encoder=encoder)
    full = scores(opened.search("red", model="fast"))
    other = Encoder.load(write_tiny_model(tmp_path / "other", mean=(0.3, 0.4, 0.6)))
    write_student(tmp_path / "library" / "student", static_weights(1), other, {})
    assert opened.fast_encoder is None
    assert scores(opened.search("red", model="fast")) == full
    write_student(tmp_path / "library" / "student", static_weights(5), encoder, {})
    assert scores(opened.search("red", model="fast")) != full
