"""Distil a student from a model: texts, the teacher's vectors, training, and the model folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from snapseek.distil.answers import Answers, Count, embed_with_teacher
from snapseek.distil.ranking import cosines, overlap, temperature_of
from snapseek.errors import InputError, OutOfRangeError, UnknownChoiceError
from snapseek.models import Encoder
from snapseek.models.hub.text_variants import MIN_COSINE
from snapseek.models.queries.query_corpus import generate_queries, word_list
from snapseek.models.text.text_probe import PROBES

if TYPE_CHECKING:
    from snapseek.distil.torch_students import PrunedStudent

Floats = NDArray[np.float32]
STUDENTS = ("static", "bag", "transformer", "shortened", "int8")
LAYERS = (2, 3, 4)
_HELD_OUT = 2_000
_MIN_TEXTS = 64
_MAX_CHARACTERS = 1_000
_TEXT_ANCHORS = 4_096
_TOP = 10
_COMPARED = 200


@dataclass(frozen=True)
class Plan:
    """Options of a distillation.

    Attributes
    ----------
    student
        Type of student. `bag` is trained in NumPy, and answers texts of known tokens only. `int8` is the
        teacher's own tower in 8 bits, and needs no training. The others need PyTorch.
    layers
        Number of layers of a `transformer` or `shortened` student.
    shipped
        Number of generated texts to train with.
    epochs
        Number of passes over the texts.
    seed
        Seed of all random choices.
    """

    student: Literal["static", "bag", "transformer", "shortened", "int8"] = "static"
    layers: int = 3
    shipped: int = 60_000
    epochs: int = 6
    seed: int = 0

    def check(self) -> None:
        """Raise InputError for an invalid option."""
        if self.student not in STUDENTS:
            raise UnknownChoiceError(expected=f"a student of {', '.join(STUDENTS)}", got=repr(self.student))
        if self.layers not in LAYERS:
            raise OutOfRangeError(expected="2, 3 or 4 layers", got=str(self.layers))
        if self.epochs < 1 or self.shipped < 0:
            raise OutOfRangeError(
                expected="at least 1 epoch and 0 texts", got=f"{self.epochs} and {self.shipped}"
            )


@dataclass(frozen=True)
class Figures:
    """Agreement of student and teacher on held-out texts.

    `overlap` is the mean share of the teacher's ten nearest vectors that the student finds, None without
    vectors. `asking_s` is the time of the teacher, `training_s` that of training, in seconds. `answered` is
    the share of held-out texts that the student answers; the others have tokens that it does not know.
    """

    texts: int
    held_out: int
    cosine_mean: float
    cosine_p5: float
    overlap: float | None
    asking_s: float
    training_s: float
    answered: float = 1.0


def read_texts(path: Path) -> list[str]:
    """Read a file of one text per line, without duplicates. Raises InputError if there is none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            expected=f"a file with one text per line in UTF-8 at {path}",
            got=str(getattr(error, "strerror", None) or error),
        ) from error
    texts = [" ".join(line.split())[:_MAX_CHARACTERS] for line in lines]
    found = list(dict.fromkeys(text for text in texts if text))
    if not found:
        raise InputError(expected=f"one text per line in {path}", got="none")
    return found


def gather_texts(encoder: Encoder, own: Sequence[str], plan: Plan) -> list[str]:
    """Return the user's texts and generated ones, without texts of unknown words.

    Raises InputError if fewer than 64 are left.
    """
    shipped = [*word_list().all, *generate_queries(plan.shipped, plan.seed)] if plan.shipped else []
    texts = list(dict.fromkeys([*own, *shipped]))
    known = [text for text, knows in zip(texts, encoder.text.knows(texts), strict=True) if knows]
    if len(known) < _MIN_TEXTS:
        raise InputError(
            expected=f"at least {_MIN_TEXTS} texts that the model understands", got=str(len(known))
        )
    return known


def distil(
    encoder: Encoder,
    out: Path,
    *,
    texts: Sequence[str] = (),
    vectors: Floats | None = None,
    plan: Plan | None = None,
    report: Callable[[str], object] = print,
    count: Count = lambda done, total: None,
) -> Figures:
    """Distil a student of `encoder`, and write it to the folder `out`.

    Parameters
    ----------
    encoder
        The teacher.
    out
        Folder of the student; an older student there is replaced.
    texts
        Texts to train with, in addition to generated ones. Every thirtieth text, at most 2,000, is held out.
    vectors
        Vectors of pictures, (m, dim), which the student learns to rank like the teacher.
    plan
        Type of student and training options.
    report
        Called with lines about the progress.
    count
        Called with the texts that the teacher has embedded, and all texts.

    Returns
    -------
    Figures
        Agreement of student and teacher on the held-out texts.

    Raises
    ------
    InputError
        If there are too few texts, `out` is something else than a student, or PyTorch is missing.
    StorageError
        If the folder cannot be written.
    """
    plan = plan or Plan()
    plan.check()
    require(*_NEEDED.get(plan.student, ("torch", "onnx")))
    from snapseek.distil.student import check_replaceable, update_metadata

    check_replaceable(out)
    known = gather_texts(encoder, texts, plan)
    teach = partial(_teach, vectors=vectors, report=report, count=count)
    make = _quantize if plan.student == "int8" else teach
    result = make(encoder, out, known, plan)
    predicted = Encoder.load(out).text.embed_ids(result.held_ids)
    agreement = cosines(predicted, result.wanted)
    shared = None
    if vectors is not None and len(vectors) >= _TOP:
        shared = round(overlap(predicted, result.wanted, vectors, _TOP), 4)
    figures = Figures(
        texts=result.learned,
        held_out=len(result.held_ids),
        cosine_mean=round(float(agreement.mean()), 4),
        cosine_p5=round(float(np.quantile(agreement, 0.05)), 4),
        overlap=shared,
        asking_s=round(result.asking_s, 1),
        training_s=round(result.training_s, 1),
        answered=round(result.answered, 4),
    )
    update_metadata(out, {"figures": asdict(figures)})
    return figures


@dataclass(frozen=True)
class _Result:
    """Held-out texts to measure a new student with, and the times of its making.

    `held_ids` are their token ids, `wanted` (n, dim) the teacher's vectors.
    """

    held_ids: list[list[int]]
    wanted: Floats
    learned: int
    asking_s: float
    training_s: float
    answered: float = 1.0


def _teach(
    encoder: Encoder,
    out: Path,
    texts: list[str],
    plan: Plan,
    *,
    vectors: Floats | None,
    report: Callable[[str], object],
    count: Count,
) -> _Result:
    """Train a student on all texts that are not held out."""
    from snapseek.distil.student import write_folder

    initial = _pruned_teacher(encoder, plan) if plan.student == "shortened" else None
    report(f"{len(texts)} texts; embedding them with {encoder.name}")
    start = time.perf_counter()
    is_bag = plan.student == "bag"
    if is_bag:  # it has to know these to be loaded
        texts = [*PROBES, *texts]
    needs_tokens = not is_bag and initial is None
    answers = embed_with_teacher(encoder, texts, alone=needs_tokens, count=count)
    embedded = time.perf_counter()
    held = _held_out(len(answers.ids), plan.seed)
    held[: len(PROBES) * is_bag] = False
    write_tower = _train(answers, ~held, vectors, encoder, plan, initial, report)
    trained = time.perf_counter()
    write_folder(out, write_tower, encoder, {"kind": plan.student})
    times = embedded - start, trained - embedded
    tested = np.flatnonzero(held)
    if is_bag:
        tested = tested[_of_known_tokens(answers.ids, held)]
        if not len(tested):
            raise InputError(expected="texts of which some share their words", got=f"{len(held)} that do not")
    held_ids = [answers.ids[number] for number in tested.tolist()]
    answered = len(tested) / int(held.sum())
    return _Result(held_ids, answers.wanted[tested], int((~held).sum()), *times, answered)


def _of_known_tokens(ids: Sequence[Sequence[int]], held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return, for each text that is held out, whether all its tokens occur in the others."""
    known = {token for row, is_held in zip(ids, held, strict=True) if not is_held for token in row}
    return np.array([known.issuperset(ids[number]) for number in np.flatnonzero(held).tolist()])


def _quantize(encoder: Encoder, out: Path, texts: list[str], plan: Plan) -> _Result:
    """Write the teacher's tower in 8 bits; the teacher embeds the held-out texts only.

    It is quantized by blocks, and dynamically as well if this CPU runs that faster.
    """
    from snapseek.distil.quantize_int8 import write_dynamic, write_quantized
    from snapseek.distil.student import FASTER_TOWER, remove_faster_tower, write_folder

    def write_towers(path: Path) -> None:
        write_quantized(*encoder.text.graph, path)
        write_dynamic(*encoder.text.graph, path.with_name(PurePosixPath(FASTER_TOWER).name))

    start = time.perf_counter()
    held = np.flatnonzero(_held_out(len(texts), plan.seed))
    answers = embed_with_teacher(encoder, [texts[index] for index in held], alone=False)
    embedded = time.perf_counter()
    write_folder(out, write_towers, encoder, {"kind": plan.student})
    if not _is_faithful(Encoder.load(out), answers, out / FASTER_TOWER):
        remove_faster_tower(out)
    return _Result(answers.ids, answers.wanted, 0, embedded - start, time.perf_counter() - embedded)


def _is_faithful(student: Encoder, answers: Answers, faster: Path) -> bool:
    """Return whether a student uses the tower `faster`, and its vectors are near to those of its teacher."""
    if student.text.tower.session.path != faster:
        return False
    predicted = student.text.embed_ids(answers.ids[:_COMPARED])
    return float(cosines(predicted, answers.wanted[:_COMPARED]).min()) >= MIN_COSINE


def _held_out(count: int, seed: int) -> NDArray[np.bool_]:
    order = np.random.default_rng(seed).permutation(count)
    held = np.zeros(count, np.bool_)
    held[order[: min(_HELD_OUT, max(2, count // 30))]] = True
    return held


def _pruned_teacher(encoder: Encoder, plan: Plan) -> "PrunedStudent":
    """Return an untrained student with a subset of the teacher's layers.

    Raises InputError or ModelError if the teacher's graph is not suitable.
    """
    from snapseek.distil.prune_layers import read_text_graph
    from snapseek.distil.torch_students import PrunedStudent

    config = encoder.text.config
    teacher = read_text_graph(*encoder.text.graph)
    length = None if config.unpadded else config.context_length
    return PrunedStudent(teacher.pruned(plan.layers), config.pad_id, length)


def _train(
    answers: Answers,
    kept: NDArray[np.bool_],
    vectors: Floats | None,
    encoder: Encoder,
    plan: Plan,
    initial: "PrunedStudent | None",
    report: Callable[[str], object],
) -> Callable[[Path], object]:
    """Train the `initial` student or a new one; return the function that writes its tower to a path."""
    wanted = answers.wanted[kept]
    ids = [row for row, is_kept in zip(answers.ids, kept, strict=True) if is_kept]
    anchors = np.asarray(wanted[:_TEXT_ANCHORS] if vectors is None else vectors, np.float32)
    temperature = temperature_of(wanted[:256], anchors[:_TEXT_ANCHORS])
    if plan.student == "bag":
        return _train_bag(ids, wanted, anchors, temperature, encoder, plan, report)
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

    train_set = TrainSet(ids, wanted, np.ones(len(ids), np.float32), anchors)
    config = TrainConfig(temperature, epochs=plan.epochs, seed=plan.seed, bf16=bf16_is_faster())
    if initial is not None:
        train_pruned(initial, train_set, config, report)
        return partial(write_pruned, graph=initial.weights(), dim=encoder.dim)
    rows = downweight_frequent(answers.alone, ids)
    if plan.student == "static":
        static = train_static(rows, train_set, config, report, hidden=HIDDEN, wide=WIDE)
        return partial(write_text_tower, weights=static.weights(), dim=encoder.dim)
    length = encoder.text.tokenizer.context_length
    transformer = train_transformer(rows, train_set, config, report, layers=plan.layers, length=length)
    return partial(write_text_tower, weights=transformer.weights(), dim=encoder.dim)


def _train_bag(
    ids: list[list[int]],
    wanted: Floats,
    anchors: Floats,
    temperature: float,
    encoder: Encoder,
    plan: Plan,
    report: Callable[[str], object],
) -> Callable[[Path], object]:
    from snapseek.distil.numpy_training import train_in_numpy
    from snapseek.distil.student import write_text_tower

    weights = train_in_numpy(
        ids,
        wanted,
        anchors,
        vocabulary=encoder.text.tokenizer.size,
        temperature=temperature,
        epochs=plan.epochs,
        seed=plan.seed,
        report=report,
    )
    return partial(write_text_tower, weights=weights, dim=encoder.dim)


_NEEDED: dict[str, tuple[str, ...]] = {"int8": ("onnx",), "bag": ()}
"""Packages that a student needs besides those of a default install, if not PyTorch."""


def require(*packages: str) -> None:
    """Raise InputError if one of these packages is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise InputError(
            expected=f"the packages {' and '.join(packages)}",
            got=f"no {' and no '.join(missing)}",
            hint="install them with: pip install 'snapseek[distil]'",
        )
