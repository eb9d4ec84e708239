"""Distillation of a student. Tests of training need PyTorch."""

import importlib.util
import json
from dataclasses import replace

import numpy as np
import pytest

import snapseek.distil.answers as teacher_answers
import snapseek.distil.distillation as distillation
from snapseek.distil import Plan, distil, read_texts
from snapseek.distil.answers import embed_with_teacher
from snapseek.distil.distillation import gather_texts
from snapseek.distil.ranking import loss
from snapseek.distil.static import unit
from snapseek.errors import InputError, ModelError
from snapseek.models import Encoder
from snapseek.models.hub.layout import STUDENT
from tests.support.stacked_model import write_stacked_model

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed: pip install 'snapseek[distil]'",
)
COLORS = ("red", "cyan", "green", "blue", "yellow", "white", "black")
PAIRS = [f"{a} {b}" for a in COLORS for b in COLORS] + [f"a photo {a}" for a in COLORS] + list(COLORS)
TRIPLES = [f"{pair} {c}" for pair in PAIRS for c in COLORS[:4]]


def test_texts_of_a_file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("a dog\n\n  two   cats \na dog\n", "utf-8")
    assert read_texts(path) == ["a dog", "two cats"]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_a_file_without_texts_is_refused(tmp_path, content):
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="one text per line"):
        read_texts(path)
    with pytest.raises(InputError, match="one text per line"):
        read_texts(tmp_path / "missing.txt")


def test_user_texts_come_first_and_unknown_words_are_left_out(encoder):
    texts = gather_texts(encoder, [*TRIPLES, "qqq"], Plan(shipped=50))
    assert texts[: len(TRIPLES)] == TRIPLES
    assert "qqq" not in texts
    assert len(set(texts)) == len(texts)


def test_too_few_texts_are_refused(encoder):
    with pytest.raises(InputError, match="at least 64 texts that the model understands, got 1"):
        gather_texts(encoder, ["red"], Plan(shipped=0))


def test_the_teacher_embeds_texts_and_single_tokens(encoder):
    answers = embed_with_teacher(encoder, ["red", "red cyan", "blue green"])
    # Red and cyan cancel each other out: the teacher finds nothing there, and the text is left out.
    np.testing.assert_allclose(answers.wanted, encoder.embed_texts(["red", "blue green"]), atol=1e-6)
    assert answers.ids == encoder.text.token_ids(["red", "blue green"])
    assert answers.alone.shape == (encoder.text.tokenizer.size, 3)
    red = encoder.text.token_ids(["red"])[0][0]
    np.testing.assert_allclose(answers.alone[red], encoder.embed_texts(["red"])[0], atol=1e-6)


def test_single_tokens_are_embedded_between_special_tokens():
    starter = Encoder.load("starter")
    assert starter.text.tokenizer.special_ids("dog") == ([101], [102])


def test_single_tokens_can_be_left_out(encoder):
    assert embed_with_teacher(encoder, ["red"], alone=False).alone.shape == (0, 3)


def test_of_a_large_vocabulary_only_occurring_tokens_are_embedded(encoder, monkeypatch):
    monkeypatch.setattr(teacher_answers, "LARGEST_TABLE", 4)
    alone = embed_with_teacher(encoder, ["red", "blue"]).alone
    assert np.flatnonzero(np.abs(alone).sum(axis=1)).tolist() == sorted(
        ids[0] for ids in encoder.text.token_ids(["red", "blue"])
    )


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (Plan(student="large"), "static, bag, transformer, shortened, int8, got 'large'"),
        (Plan(layers=9), "2, 3 or 4 layers, got 9"),
        (Plan(epochs=0), "at least 1 epoch"),
    ],
)
def test_a_plan_of_no_use_is_refused(encoder, tmp_path, plan, reason):
    with pytest.raises(InputError, match=reason):
        distil(encoder, tmp_path / "student", plan=plan)


def test_missing_torch_is_reported_with_a_hint(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(distillation, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(InputError, match=r"got no torch; .*snapseek\[distil\]"):
        distil(encoder, tmp_path / "student")


@needs_torch
def test_the_loss_in_torch_is_that_of_numpy():
    import torch

    from snapseek.distil import training

    normal = np.random.default_rng(0).normal
    guess, wanted, anchors = (unit(normal(size=(n, 6)).astype(np.float32)) for n in (5, 5, 9))
    weights = np.abs(normal(size=5)).astype(np.float32)
    ours = training.loss(*(torch.from_numpy(x) for x in (guess, wanted, anchors, weights)), 0.2)
    assert ours.item() == pytest.approx(loss(guess, wanted, anchors, weights, 0.2), rel=1e-4)


@needs_torch
@pytest.mark.parametrize("kind", ["static", "neighbours", "transformer"])
def test_a_student_matches_its_exported_weights(kind):
    import torch

    from snapseek.distil.torch_students import StaticStudent, TransformerStudent

    torch.manual_seed(1)
    alone = unit(np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32))
    student = {
        "static": lambda: StaticStudent(alone, 16),
        "neighbours": lambda: StaticStudent(alone, 16, 5),
        "transformer": lambda: TransformerStudent(alone, 9, 16, 2, 7),
    }[kind]()
    with torch.no_grad():
        for parameter in student.dense:
            parameter += 0.1 * torch.randn(parameter.shape)
        ids = [[1, 2, 3], [4], [5, 6, 7, 8, 9]]
        said = student(ids).numpy()
    np.testing.assert_allclose(said, student.weights().embed(ids), atol=1e-5)


@needs_torch
@pytest.mark.parametrize(("texts", "batch"), [(20, 20), (272, 32), (4_096, 128), (156_000, 512)])
def test_a_small_training_set_has_small_batches(texts, batch):
    from snapseek.distil.training import _batch

    assert _batch(512, texts) == batch


@needs_torch
def test_texts_of_similar_length_are_grouped():
    from snapseek.distil.torch_students import _length_groups

    lengths = np.random.default_rng(0).integers(1, 40, 700).tolist()
    order, parts = _length_groups([[0] * length for length in lengths])
    assert [row for part in parts for row in part] == order
    assert sorted(order) == list(range(700))
    padded = sum(len(part) * max(lengths[row] for row in part) for part in parts)
    assert padded < 1.2 * sum(lengths)


@needs_torch
def test_training_in_bfloat16_gives_nearly_the_same_student():
    from snapseek.distil.training import TrainConfig, TrainSet, train_static

    rng = np.random.default_rng(0)
    rows = unit(rng.normal(size=(30, 8)).astype(np.float32))
    ids = rng.integers(0, 30, (256, 3)).tolist()
    wanted = unit((rows[ids] * [[3], [1], [1]]).sum(axis=1).astype(np.float32))  # the first counts most
    train_set = TrainSet(ids, wanted, np.ones(256, np.float32), rows)
    full, half = (
        train_static(
            rows,
            train_set,
            TrainConfig(0.2, epochs=60, batch=64, bf16=halves),
            lambda _: None,
            hidden=16,
            wide=8,
        )
        for halves in (False, True)
    )
    learned, same = (
        (student.weights().embed(ids) * other).sum(axis=1).mean()
        for student, other in ((full, wanted), (half, full.weights().embed(ids)))
    )
    blind = (unit(rows[ids].sum(axis=1)) * wanted).sum(axis=1).mean()
    assert learned > (1 + blind) / 2  # of what a bag of rows misses, half is heard
    assert same > 0.995


@needs_torch
@pytest.mark.parametrize("kind", ["static", "transformer"])
def test_a_student_learns(encoder, library, tmp_path, kind):
    epochs = 40 if kind == "static" else 12
    plan = Plan(student=kind, layers=2, shipped=0, epochs=epochs)
    lines = []
    figures = distil(
        encoder,
        tmp_path / "student",
        texts=[*PAIRS, *TRIPLES],
        vectors=library.snapshot().sample_vectors(),
        plan=plan,
        report=lines.append,
    )
    assert figures.cosine_mean > 0.9
    assert figures.overlap is None  # the library has fewer than ten pictures
    assert (
        json.loads((tmp_path / "student" / "student.json").read_text())["figures"]["texts"] == figures.texts
    )
    assert lines[-1].startswith(f"epoch {epochs} of {epochs}: loss ")
    loaded = Encoder.load(tmp_path / "student")
    assert float((loaded.embed_texts(["red"]) * encoder.embed_texts(["red"])).sum()) > 0.9


@needs_torch
@pytest.mark.parametrize("unpadded", [True, False])
def test_a_shortened_student_comes_near_its_teacher(tmp_path, monkeypatch, unpadded):
    teacher = Encoder.load(write_stacked_model(tmp_path / "teacher"))
    monkeypatch.setattr(teacher.text, "config", replace(teacher.text.config, unpadded=unpadded))
    said = []
    for epochs in (1, 80):
        plan = Plan(student="shortened", layers=2, shipped=0, epochs=epochs)
        distil(teacher, tmp_path / "student", texts=TRIPLES, plan=plan, report=lambda _: None)
        ids = teacher.text.token_ids(TRIPLES)
        said.append(
            (Encoder.load(tmp_path / "student").text.embed_ids(ids) * teacher.text.embed_ids(ids)).sum(axis=1)
        )
    begun, taught = (float(cosines.mean()) for cosines in said)
    assert 1 - taught < (1 - begun) / 3
    assert json.loads((tmp_path / "student" / STUDENT).read_text())["kind"] == "shortened"


@needs_torch
def test_a_teacher_that_cannot_be_shortened_is_rejected_first(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(distillation, "embed_with_teacher", lambda *_, **__: pytest.fail("it embedded"))
    with pytest.raises(ModelError, match="stack of attention layers"):
        distil(encoder, tmp_path / "student", texts=TRIPLES, plan=Plan(student="shortened", shipped=0))


@needs_torch
def test_the_same_seed_gives_the_same_student(encoder, tmp_path):
    for name in ("first", "second"):
        plan = Plan(shipped=0, epochs=2)
        distil(encoder, tmp_path / name, texts=TRIPLES, plan=plan, report=lambda _: None)
    graphs = [(tmp_path / name / "onnx/text_model.onnx").read_bytes() for name in ("first", "second")]
    assert graphs[0] == graphs[1]
