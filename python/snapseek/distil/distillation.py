"""From a model to its student: texts, the teacher's answers, training, a folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from snapseek.distil.ranking import cosines, overlap, temperature_of
from snapseek.errors import InputError
from snapseek.models import Encoder
from snapseek.models.queries.query_corpus import generate_queries, word_list

if TYPE_CHECKING:
    from snapseek.distil.training import PrunedStudent

Floats = NDArray[np.float32]
LARGEST_TABLE = 65_536  # tokens; of a larger vocabulary only those that occur in the texts are asked alone
STUDENTS = ("static", "transformer", "shortened", "int8")
LAYERS = (2, 3, 4)
_HELD_OUT = 2_000
_FEWEST = 64
_LONGEST_CHARACTERS = 1_000
_TEXT_ANCHORS = 4_096
_TOP = 10


@dataclass(frozen=True)
class Plan:
    """What to make: the kind of student, its layers (unless static), how many shipped texts, how long.

    The student `int8` is the teacher's own tower with its matrices in 8 bits; it learns nothing.
    """

    student: Literal["static", "transformer", "shortened", "int8"] = "static"
    layers: int = 3
    shipped: int = 60_000
    epochs: int = 6
    seed: int = 0

    def check(self) -> None:
        """Raise InputError for what cannot be made."""
        if self.student not in STUDENTS:
            raise InputError(expected=f"a student of {', '.join(STUDENTS)}", got=repr(self.student))
        if self.layers not in LAYERS:
            raise InputError(expected="2, 3 or 4 layers", got=str(self.layers))
        if self.epochs < 1 or self.shipped < 0:
            raise InputError(expected="at least 1 epoch and 0 texts", got=f"{self.epochs} and {self.shipped}")


@dataclass(frozen=True)
class Figures:
    """How near the student is to its teacher on texts that it did not learn from; `overlap` of the ten best
    is among the given vectors, None without them.
    """

    texts: int
    held_out: int
    cosine_mean: float
    cosine_p5: float
    overlap: float | None
    asking_s: float
    training_s: float


@dataclass(frozen=True)
class Answers:
    """What the teacher said: `ids` and `wanted` (n, dim) of texts, `alone` (tokens, dim) of single tokens, of
    none where it was not asked.
    """

    ids: list[list[int]]
    wanted: Floats
    alone: Floats


def read_texts(path: Path) -> list[str]:
    """Return the texts of a file, one a line, each once. Raises InputError when it cannot be read or holds none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"expected a file with one text a line in UTF-8, {path}: {error}") from error
    texts = [" ".join(line.split())[:_LONGEST_CHARACTERS] for line in lines]
    found = list(dict.fromkeys(text for text in texts if text))
    if not found:
        raise InputError(expected=f"one text a line in {path}", got="none")
    return found


def gather_texts(encoder: Encoder, own: Sequence[str], plan: Plan) -> list[str]:
    """Return the user's texts, then the shipped words and texts about them, without those that the model does not
    know a word of. Raises InputError where fewer than 64 are left.
    """
    shipped = [*word_list().all, *generate_queries(plan.shipped, plan.seed)] if plan.shipped else []
    texts = list(dict.fromkeys([*own, *shipped]))
    known = [text for text, knows in zip(texts, encoder.text.knows(texts), strict=True) if knows]
    if len(known) < _FEWEST:
        raise InputError(expected=f"at least {_FEWEST} texts that the model understands", got=str(len(known)))
    return known


def ask(encoder: Encoder, texts: Sequence[str], *, alone: bool = True) -> Answers:
    """Return what the teacher says of each text and, if `alone`, of each token between the model's own marks.

    Texts in which it finds nothing are left out; a token in which it finds nothing has a row of zeros.
    """
    ids = encoder.text.token_ids(texts)
    rows = _said_alone(encoder, ids) if alone else np.zeros((0, encoder.dim), np.float32)
    wanted = _said(encoder, ids)
    heard = np.abs(wanted).sum(axis=1) > 0
    return Answers([row for row, is_heard in zip(ids, heard, strict=True) if is_heard], wanted[heard], rows)


def _said_alone(encoder: Encoder, ids: Sequence[Sequence[int]]) -> Floats:
    before, behind = encoder.text.tokenizer.special_ids("dog")
    tokens = range(encoder.text.tokenizer.size)
    if len(tokens) > LARGEST_TABLE:
        asked = np.unique(np.concatenate([np.array(row) for row in ids]))
    else:
        asked = np.arange(len(tokens))
    rows = np.zeros((len(tokens), encoder.dim), np.float32)
    rows[asked] = _said(encoder, [[*before, int(token), *behind] for token in asked])
    return rows


def _said(encoder: Encoder, rows: Sequence[Sequence[int]]) -> Floats:
    """Return (n, dim) float32, zeros where the teacher finds nothing in a row of ids."""
    try:
        return encoder.text.embed_ids(rows)
    except InputError:
        if len(rows) == 1:
            return np.zeros((1, encoder.dim), np.float32)
    half = len(rows) // 2
    return np.concatenate([_said(encoder, rows[:half]), _said(encoder, rows[half:])])


def distil(
    encoder: Encoder,
    out: Path,
    *,
    texts: Sequence[str] = (),
    vectors: Floats | None = None,
    plan: Plan | None = None,
    report: Callable[[str], object] = print,
) -> Figures:
    """Make a student of `encoder` and write it to the folder `out`; how near it came.

    `texts` are the user's own, beside the shipped ones; `vectors` (m, dim) are those of a library's pictures,
    which the student then learns to rank as its teacher does. Every thirtieth text, at most 2,000, is kept
    from it and measured with. Raises InputError for texts or places of no use and without PyTorch,
    StorageError when the disk refuses.
    """
    plan = plan or Plan()
    plan.check()
    require(*(("onnx",) if plan.student == "int8" else ("torch", "onnx")))
    from snapseek.distil.student import check_place, note

    check_place(out)
    known = gather_texts(encoder, texts, plan)
    make = _rounded if plan.student == "int8" else partial(_taught, vectors=vectors, report=report)
    made = make(encoder, out, known, plan)
    guess = Encoder.load(out).text.embed_ids(made.unheard)
    near = cosines(guess, made.wanted)
    shared = None
    if vectors is not None and len(vectors) >= _TOP:
        shared = round(overlap(guess, made.wanted, vectors, _TOP), 4)
    figures = Figures(
        texts=made.learned,
        held_out=len(made.unheard),
        cosine_mean=round(float(near.mean()), 4),
        cosine_p5=round(float(np.quantile(near, 0.05)), 4),
        overlap=shared,
        asking_s=round(made.asking_s, 1),
        training_s=round(made.training_s, 1),
    )
    note(out, {"figures": asdict(figures)})
    return figures


@dataclass(frozen=True)
class _Made:
    """What a student that was just made is measured with, and what making it took.

    `unheard` texts as ids and what the teacher says of them, `wanted` (n, dim).
    """

    unheard: list[list[int]]
    wanted: Floats
    learned: int
    asking_s: float
    training_s: float


def _taught(
    encoder: Encoder,
    out: Path,
    texts: list[str],
    plan: Plan,
    *,
    vectors: Floats | None,
    report: Callable[[str], object],
) -> _Made:
    """Train a student on all texts but those held out."""
    from snapseek.distil.student import write_folder

    begun = _begun(encoder, plan) if plan.student == "shortened" else None
    report(f"{len(texts)} texts; asking {encoder.name}")
    start = time.perf_counter()
    answers = ask(encoder, texts, alone=begun is None)
    asked = time.perf_counter()
    held = _held_out(len(answers.ids), plan.seed)
    write_tower = _train(answers, ~held, vectors, encoder, plan, begun, report)
    trained = time.perf_counter()
    write_folder(out, write_tower, encoder, {"kind": plan.student})
    unheard = [ids for ids, is_held in zip(answers.ids, held, strict=True) if is_held]
    return _Made(unheard, answers.wanted[held], int((~held).sum()), asked - start, trained - asked)


def _rounded(encoder: Encoder, out: Path, texts: list[str], plan: Plan) -> _Made:
    """Write the teacher's tower in 8 bits; only what it is measured with is asked."""
    from snapseek.distil.quantize_int8 import write_quantized
    from snapseek.distil.student import write_folder

    start = time.perf_counter()
    held = np.flatnonzero(_held_out(len(texts), plan.seed))
    answers = ask(encoder, [texts[place] for place in held], alone=False)
    asked = time.perf_counter()
    write_folder(out, partial(write_quantized, *encoder.text.graph), encoder, {"kind": plan.student})
    return _Made(answers.ids, answers.wanted, 0, asked - start, time.perf_counter() - asked)


def _held_out(count: int, seed: int) -> NDArray[np.bool_]:
    order = np.random.default_rng(seed).permutation(count)
    held = np.zeros(count, np.bool_)
    held[order[: min(_HELD_OUT, max(2, count // 30))]] = True
    return held


def _begun(encoder: Encoder, plan: Plan) -> "PrunedStudent":
    """Return a student that is some layers of its teacher. Raises InputError or ModelError where none can be."""
    from snapseek.distil.prune_layers import read_text_graph
    from snapseek.distil.training import PrunedStudent

    policy = encoder.text.config
    teacher = read_text_graph(*encoder.text.graph)
    length = None if policy.unpadded else policy.context_length
    return PrunedStudent(teacher.pruned(plan.layers), policy.pad_id, length)


def _train(
    answers: Answers,
    kept: NDArray[np.bool_],
    vectors: Floats | None,
    encoder: Encoder,
    plan: Plan,
    begun: "PrunedStudent | None",
    report: Callable[[str], object],
) -> Callable[[Path], object]:
    """Teach a student, one that has `begun` or a new one; what writes its tower to a path."""
    from snapseek.distil.prune_layers import write_pruned
    from snapseek.distil.student import write_text_tower
    from snapseek.distil.training import (
        HIDDEN,
        WIDE,
        TrainConfig,
        TrainSet,
        bf16_is_faster,
        downweight_frequent,
        train_pruned,
        train_static,
        train_transformer,
    )

    wanted = answers.wanted[kept]
    ids = [row for row, is_kept in zip(answers.ids, kept, strict=True) if is_kept]
    anchors = np.asarray(wanted[:_TEXT_ANCHORS] if vectors is None else vectors, np.float32)
    lesson = TrainSet(ids, wanted, np.ones(len(ids), np.float32), anchors)
    heat = temperature_of(wanted[:256], anchors[:_TEXT_ANCHORS])
    course = TrainConfig(heat, epochs=plan.epochs, seed=plan.seed, bf16=bf16_is_faster())
    if begun is not None:
        train_pruned(begun, lesson, course, report)
        return partial(write_pruned, graph=begun.weights(), dim=encoder.dim)
    rows = downweight_frequent(answers.alone, ids)
    if plan.student == "static":
        pupil = train_static(rows, lesson, course, report, hidden=HIDDEN, wide=WIDE)
        return partial(write_text_tower, weights=pupil.weights(), dim=encoder.dim)
    length = encoder.text.tokenizer.context_length
    other = train_transformer(rows, lesson, course, report, layers=plan.layers, length=length)
    return partial(write_text_tower, weights=other.weights(), dim=encoder.dim)


def require(*packages: str) -> None:
    """Raise InputError where one of these packages is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise InputError(
            f"distilling needs {' and '.join(missing)}; install with: pip install 'snapseek[distil]'"
        )
