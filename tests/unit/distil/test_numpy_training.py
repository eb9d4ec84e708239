"""The student that NumPy trains."""

import numpy as np
import onnxruntime
import pytest

from snapseek.distil import numpy_training
from snapseek.distil.numpy_training import NumpyStudent, Texts, least_squares_rows, train_in_numpy
from snapseek.distil.ranking import loss
from snapseek.distil.static import unit
from snapseek.distil.student import write_text_tower

DIM, VOCABULARY = 6, 40
RNG = np.random.default_rng(3)
TABLE = RNG.normal(size=(VOCABULARY, DIM)).astype(np.float32)
KNOWN = 30  # of the vocabulary


def texts(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(KNOWN, size=rng.integers(1, 6)).tolist() for _ in range(count)]


def teacher(ids):
    return unit(np.stack([TABLE[row].mean(axis=0) for row in ids]))


def test_means_and_their_transpose_agree_with_a_dense_matrix():
    ids = [[2, 0, 2], [1], [0, 1]]
    matrix = np.array([[1 / 3, 0, 2 / 3], [0, 1, 0], [0.5, 0.5, 0]], np.float32)
    rows = RNG.normal(size=(3, DIM)).astype(np.float32)
    joined = Texts.of(ids)
    np.testing.assert_allclose(joined.means(rows), matrix @ rows, rtol=1e-5, atol=1e-6)
    tokens, spread = joined.spread(rows)
    assert tokens.tolist() == [0, 1, 2]
    np.testing.assert_allclose(spread, matrix.T @ rows, rtol=1e-5, atol=1e-6)
    picked = joined.pick(np.array([2, 0]))
    assert (picked.tokens.tolist(), picked.lengths.tolist()) == ([0, 1, 2, 0, 2], [2, 3])


def test_rows_solve_the_least_squares_problem(monkeypatch):
    monkeypatch.setattr(numpy_training, "_CONJUGATE_STEPS", 60)
    ids = [*([number] for number in range(KNOWN)), *texts(50)]
    wanted = teacher(ids)
    matrix = np.zeros((len(ids), KNOWN))
    for number, row in enumerate(ids):
        for token in row:
            matrix[number, token] += 1 / len(row)
    ridge = matrix.T @ matrix + numpy_training._RIDGE * np.eye(KNOWN)
    expected = np.linalg.solve(ridge, matrix.T @ wanted)
    np.testing.assert_allclose(least_squares_rows(Texts.of(ids), wanted), expected, atol=1e-3)


def test_a_step_goes_down_the_gradient_of_the_loss():
    ids, anchors = texts(12), unit(RNG.normal(size=(20, DIM)).astype(np.float32))
    joined, wanted = Texts.of(ids), teacher(ids)
    student = NumpyStudent(RNG.normal(size=(KNOWN, DIM)).astype(np.float32), 8, np.random.default_rng(1))
    for array in (student._outer, student._inner_bias, student._outer_bias):
        array.values += RNG.normal(size=array.values.shape).astype(np.float32) * np.float32(0.1)
    gradients = {}

    class Recorder:
        def __init__(self, name, values):
            self.name, self.values = name, values

        def step(self, gradient, rate, number, rows=slice(None)):
            full = np.zeros_like(self.values)
            full[rows] = gradient
            gradients[self.name] = full

    names = ("_rows", "_inner", "_inner_bias", "_outer", "_outer_bias")
    for name in names:
        setattr(student, name, Recorder(name, getattr(student, name).values.astype(np.float64)))
    step = lambda: student.train_step(joined, wanted, anchors, 0.1, 0.0, 1)  # noqa: E731
    step()
    exact = dict(gradients)
    for name in names:
        values = getattr(student, name).values
        steepest = np.unravel_index(np.abs(exact[name]).argmax(), values.shape)
        before = values[steepest]
        losses = []
        for offset in (1e-2, -1e-2):
            values[steepest] = before + offset
            losses.append(step())
        values[steepest] = before
        assert exact[name][steepest] == pytest.approx((losses[0] - losses[1]) / 2e-2, rel=0.02)


def test_the_loss_is_that_of_the_reference():
    predicted, wanted = unit(TABLE[:8]), unit(TABLE[8:16])
    anchors = unit(TABLE[16:30])
    found, _ = numpy_training._loss_gradient(predicted, wanted, anchors, 0.2)
    assert found == pytest.approx(loss(predicted, wanted, anchors, np.ones(8, np.float32), 0.2), rel=1e-5)


def test_a_trained_student_embeds_as_its_teacher_and_rejects_unknown_tokens(tmp_path):
    ids, held = texts(600), texts(100, seed=9)
    lines = []
    weights = train_in_numpy(
        ids,
        teacher(ids),
        unit(TABLE),
        vocabulary=VOCABULARY,
        temperature=0.1,
        epochs=3,
        seed=0,
        report=lines.append,
    )
    assert [line.partition(":")[0] for line in lines] == [f"epoch {number} of 3" for number in (1, 2, 3)]
    assert (weights.embed(held) * teacher(held)).sum(axis=1).mean() > 0.97
    write_text_tower(tmp_path / "s.onnx", weights, DIM)
    session = onnxruntime.InferenceSession(tmp_path / "s.onnx", providers=["CPUExecutionProvider"])
    feeds = {
        "input_ids": np.array([[1, 2, 0], [1, VOCABULARY - 1, 0], [3, 4, 5]]),
        "attention_mask": np.array([[1, 1, 0], [1, 1, 0], [1, 1, 1]]),
    }
    (rows,) = session.run(None, feeds)
    expected = weights.embed([[1, 2], [1, VOCABULARY - 1], [3, 4, 5]])
    assert not expected[1].any()
    np.testing.assert_allclose(rows, expected, atol=0.02)
    np.testing.assert_array_equal(rows[1], 0)
