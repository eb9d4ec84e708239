"""Make the student that answers keystrokes, where the text tower of a library's model is slow."""

import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from snapseek.distil.answers import Count
from snapseek.distil.distillation import Figures, Plan, distil
from snapseek.distil.student import check_replaceable, remove_student
from snapseek.errors import InputError, ModelError
from snapseek.models import Encoder
from snapseek.models.hub.known_models import is_known_student
from snapseek.models.hub.layout import STUDENT
from snapseek.models.hub.model_files import Teacher
from snapseek.models.queries.query_corpus import word_list
from snapseek.threads import available_cores

SLOW_MS = 15.0
"""Of one query: with several requests for each word that is typed, a slower tower occupies a core."""

MIN_OVERLAP = 0.5
"""Share of the teacher's ten best pictures that a student must find for known words, or it is not kept."""

_MIN_PICTURES = 100
"""With fewer, the agreement cannot be measured, and a library is searched by its words and a few pictures."""

_ASKING_S = 240.0
_TEXTS = 4_000, 20_000
"""Generated texts besides the word list: as many as are embedded in `_ASKING_S`, within these bounds."""

_RUNS = 3
_QUERY = "two dogs on a beach"


def query_ms(encoder: Encoder) -> float:
    """Return the milliseconds of a short query, the fastest of some runs: other programs only add time."""
    ids = encoder.text.token_ids([_QUERY])
    times = []
    for _ in range(_RUNS):
        start_s = time.perf_counter()
        encoder.text.embed_ids(ids)
        times.append(time.perf_counter() - start_s)
    return 1000 * min(times)


def make_fast_student(
    encoder: Encoder,
    out: Path,
    vectors: NDArray[np.float32],
    *,
    slow_ms: float = SLOW_MS,
    count: Count = lambda done, total: None,
) -> Figures | None:
    """Distil a student of `encoder` into the folder `out` if its text tower is slow.

    It is trained in NumPy, in minutes, and is kept if it ranks the pictures of the library as the teacher
    does. It answers texts of tokens that it was trained with; the teacher answers the others.

    Parameters
    ----------
    encoder
        The model of the library.
    out
        Folder of the student. One of another model there is replaced, one of this model stays.
    vectors
        Vectors of pictures of the library, (m, dim).
    slow_ms
        Milliseconds of a query from which a tower is slow.
    count
        Called with the part of the work that is done, and all of it. What it raises ends the work.

    Returns
    -------
    Figures | None
        The agreement of a new student, None if none was made.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    OperationCancelledError
        If the work is cancelled; the folder is as it was.
    """
    text_ms = query_ms(encoder)
    if text_ms < slow_ms or len(vectors) < _MIN_PICTURES or _is_student_of(out, encoder):
        return None
    affordable = int(_ASKING_S * 1000 / text_ms * available_cores()) - len(word_list().all)
    plan = Plan("bag", shipped=int(np.clip(affordable, *_TEXTS)))
    try:
        check_replaceable(out)
        steps = _Steps(count, plan.epochs)
        figures = distil(encoder, out, vectors=vectors, plan=plan, report=steps.report, count=steps.embedded)
    except InputError:  # a folder of the user, or a model that knows too few English words
        return None
    if figures.overlap is None or figures.overlap < MIN_OVERLAP:
        remove_student(out)
        return None
    return figures


class _Steps:
    """Counts the texts that are embedded, and then the epochs, as one half of the work each."""

    def __init__(self, count: Count, epochs: int) -> None:
        self._count = count
        self._epochs = epochs
        self._done = 0

    def embedded(self, done: int, total: int) -> None:
        self._count(done * self._epochs, 2 * total * self._epochs)

    def report(self, line: str) -> None:
        """Count a line that `distil` reports: the first one is of its beginning, the others of epochs."""
        if line.startswith("epoch"):
            self._done += 1
            self._count(self._epochs + self._done, 2 * self._epochs)


def _is_student_of(out: Path, encoder: Encoder) -> bool:
    """Return whether the folder is a student of that model that was made here; nothing of it is run."""
    with suppress(ModelError):
        return Teacher.read(out / STUDENT).fingerprint == encoder.space and is_known_student(out)
    return False
