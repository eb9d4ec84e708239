"""The student that an upgrade makes for keystrokes."""

import numpy as np
import pytest

from snapseek.cancellation import OperationCancelledError, cancelled_when
from snapseek.distil import distillation, fast_student
from snapseek.distil.fast_student import make_fast_student, query_ms
from snapseek.distil.static import unit
from snapseek.errors import InputError
from snapseek.models import Encoder
from snapseek.models.hub.known_models import is_known_student
from snapseek.models.queries.query_corpus import Words, word_list

WORDS = Words(word_list().everyday[:150], ())


@pytest.fixture(scope="module")
def starter():
    return Encoder.load("starter")


@pytest.fixture(scope="module")
def pictures(starter):
    rows = starter.embed_texts(list(word_list().all[:400]))
    noise = np.random.default_rng(0).normal(size=rows.shape) / 40
    return unit(rows + noise.astype(np.float32))


@pytest.fixture(autouse=True)
def few_texts(monkeypatch):
    monkeypatch.setattr(fast_student, "_TEXTS", (500, 500))
    monkeypatch.setattr(distillation, "word_list", lambda: WORDS)
    monkeypatch.setattr(
        distillation,
        "generate_queries",
        lambda n, seed: [f"{a} {b}" for a in WORDS.all[:25] for b in WORDS.all[:20]],
    )


def test_a_slow_tower_gets_a_student_that_ranks_as_it_does(starter, pictures, tmp_path):
    counted = []
    count = lambda done, total: counted.append(done / total)  # noqa: E731
    figures = make_fast_student(starter, tmp_path / "student", pictures, slow_ms=0, count=count)
    assert figures.overlap > fast_student.MIN_OVERLAP
    assert counted == sorted(counted)
    assert counted[-1] == 1
    assert is_known_student(tmp_path / "student")
    student = Encoder.load(tmp_path / "student")
    assert student.space == starter.fingerprint
    texts = list(WORDS.everyday[:30])
    assert (student.embed_texts(texts) * starter.embed_texts(texts)).sum(axis=1).mean() > 0.9
    with pytest.raises(InputError):
        student.embed_texts(["xylophone quokka"])


def test_a_fast_tower_and_a_small_library_get_none(starter, pictures, tmp_path):
    assert query_ms(starter) < fast_student.SLOW_MS
    assert make_fast_student(starter, tmp_path / "student", pictures) is None
    assert make_fast_student(starter, tmp_path / "student", pictures[:20], slow_ms=0) is None
    assert not (tmp_path / "student").exists()


def test_a_student_of_this_model_stays(starter, pictures, tmp_path):
    assert make_fast_student(starter, tmp_path / "student", pictures, slow_ms=0)
    before = (tmp_path / "student/student.json").stat().st_mtime_ns
    assert make_fast_student(starter, tmp_path / "student", pictures, slow_ms=0) is None
    assert (tmp_path / "student/student.json").stat().st_mtime_ns == before


def test_a_student_that_ranks_otherwise_is_not_kept(starter, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(fast_student, "MIN_OVERLAP", 1.01)
    assert make_fast_student(starter, tmp_path / "student", pictures, slow_ms=0) is None
    assert not (tmp_path / "student").exists()


def test_a_folder_of_the_user_stays(starter, pictures, tmp_path):
    (tmp_path / "student").mkdir()
    (tmp_path / "student/thesis.txt").write_text("years of work")
    assert make_fast_student(starter, tmp_path / "student", pictures, slow_ms=0) is None
    assert (tmp_path / "student/thesis.txt").read_text() == "years of work"


def test_what_the_count_raises_ends_the_work_and_leaves_nothing(starter, pictures, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_fast_student(starter, tmp_path / "student", pictures, slow_ms=0, count=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("checks", [2, 20])
def test_cancelled_work_ends_at_once_and_leaves_nothing(starter, pictures, tmp_path, checks):
    done = []

    def is_cancelled():
        done.append(1)
        return len(done) == checks

    with cancelled_when(is_cancelled), pytest.raises(OperationCancelledError):
        make_fast_student(starter, tmp_path / "student", pictures, slow_ms=0)
    assert len(done) == checks
    assert list(tmp_path.iterdir()) == []
