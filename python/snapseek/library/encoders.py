"""The encoders that answer for a library: its own model, and a distilled student for every keystroke."""

import threading
import weakref
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from snapseek.errors import InputError, ModelMismatchError, SnapseekError
from snapseek.library.snapshot import Snapshot
from snapseek.library.storage.trust import Trust
from snapseek.models import Encoder
from snapseek.models.hub.known_models import is_known_student, was_loaded_here
from snapseek.models.hub.layout import STUDENT
from snapseek.models.text.text_encoder import TextEncoder
from snapseek.search_request import MODELS, check_choice

FAST_MODEL = "student"
"""The folder in a library that holds its student."""

_WARM_UP = "a photo"
"""The first run of a session prepares it, which takes longer than later ones."""


class EncoderPool:
    """Loads the encoders of the library at a path when they are needed. Safe to use from many threads.

    Parameters
    ----------
    path
        The directory of the library.
    encoder
        The library's model, if it is loaded already.
    """

    def __init__(self, path: Path, encoder: Encoder | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._full = self._passed = encoder
        self._fingerprint: str | None = None  # of the state that the full model was last compared with
        self._former: dict[str, Encoder] = {}  # by fingerprint, of states that searches under way still use
        self._fast: Encoder | None = None
        self._fast_stamp: tuple[int, int] | None = None  # of the student in the library, when it was loaded
        self._unknown_student: tuple[int, int] | None = None
        self._passed_fast: Encoder | None = None
        self.provider = encoder.provider if encoder else "not loaded"
        """The execution provider of the library's model, or `not loaded`."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the models that were passed; others are loaded again when they are needed."""
        return _unpickled_pool, (self._path, self._passed, self._passed_fast)

    def full(self, snapshot: Snapshot) -> Encoder:
        """Return the model of that state of the library. Raises ModelMismatchError when it has changed."""
        with self._lock:
            fingerprint = snapshot.settings["fingerprint"]
            if former := self._former.get(fingerprint):
                return former
            if self._full is None or self._fingerprint != fingerprint:
                if self._full is None or self._full.space != fingerprint:
                    encoder = load_recorded(snapshot.settings["model"], snapshot.trust)
                    self.check(encoder, snapshot)
                    self._full, self.provider = encoder, encoder.provider
                self._fingerprint = fingerprint
            return self._full

    def prepare(self, new: Snapshot, old: Snapshot) -> None:
        """Load the model of a new state before searches use it, if another one is loaded.

        The former one answers the searches under way, and is dropped with the last of them. A model that
        cannot be loaded is no error here: searches report it.
        """
        before, after = old.settings["fingerprint"], new.settings["fingerprint"]
        full = self._full
        if full is None or full.space != before or before == after:
            return
        with suppress(SnapseekError):
            encoder = load_recorded(new.settings["model"], new.trust)
            self.check(encoder, new)
            encoder.embed_texts([_WARM_UP])
            with self._lock:
                self._former[before] = full
                weakref.finalize(old, self._former.pop, before, None)
                self._full, self._fingerprint, self.provider = encoder, after, encoder.provider

    def fast(self, snapshot: Snapshot) -> Encoder | None:
        """Return the student: the one that was set, else that in the library.

        None if it is a student of another model, such as that before an upgrade. Texts that it does not know
        are embedded by the library's model.
        """
        with self._lock:
            if self._passed_fast is None:
                self._load_own_student()
            fast = self._fast
            if fast is None or fast.space != snapshot.settings["fingerprint"]:
                return None
            found = weakref.ref(snapshot)  # its caller keeps it while it searches
            fast.text.fallback = lambda: self._teacher(found())
            return fast

    def _load_own_student(self) -> None:
        """Load the student in the library if it is new."""
        stamp = self._student_stamp()
        if stamp != self._fast_stamp or self._fast is None:
            self._fast = Encoder.load(self._path / FAST_MODEL) if self._has_known_student() else None
            self._fast_stamp = stamp

    def _teacher(self, snapshot: Snapshot | None) -> TextEncoder:
        if snapshot is None:
            raise InputError("the student does not know these words", hint="search with model=full")
        return self.full(snapshot).text

    def has_unknown_student(self) -> bool:
        """Return whether the library contains a student that was not made here, which is not loaded."""
        return self._fast is None and self._student_stamp() is not None and not self._has_known_student()

    def _has_known_student(self) -> bool:
        """Return whether the library contains a student that was made here."""
        stamp = self._student_stamp()
        if stamp is None:
            return False
        if stamp != self._unknown_student and is_known_student(self._path / FAST_MODEL):
            return True
        self._unknown_student = stamp
        return False

    def _student_stamp(self) -> tuple[int, int] | None:
        try:
            status = (self._path / FAST_MODEL / STUDENT).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino

    def set_fast(self, model: str | Path, snapshot: Snapshot) -> None:
        """Use that model as the student. Raises ModelMismatchError for a student of another model."""
        encoder = Encoder.load(model)
        self.check(encoder, snapshot)
        self._fast = self._passed_fast = encoder

    def get(self, model: str, snapshot: Snapshot) -> Encoder:
        """Return the encoder for `full` or `fast`; without a student, `fast` is the full one.

        Raises
        ------
        UnknownChoiceError
            `model` is neither.
        ModelMismatchError
            The model on the disk is not the one that made the library.
        """
        check_choice("model", model, MODELS)
        student = self.fast(snapshot) if model == "fast" else None
        return student or self.full(snapshot)

    def lazy(self, model: str, snapshot: Snapshot) -> "PooledEncoder":
        """Return the encoder for `full` or `fast`, not loaded yet."""
        return PooledEncoder(self, model, snapshot)

    def check(self, encoder: Encoder, snapshot: Snapshot) -> None:
        """Raise ModelMismatchError if the vectors of that state are not in the space of `encoder`."""
        fingerprint = snapshot.settings["fingerprint"]
        if encoder.space != fingerprint:
            raise ModelMismatchError(
                expected=f"'{snapshot.settings['model']}' ({fingerprint[:12]}), which made the library "
                f"{self._path}",
                got=f"'{encoder.name}' ({encoder.space[:12]})",
                hint="use that model, or index the folder again",
            )


def load_recorded(model: str, trust: Trust) -> Encoder:
    """Load the model that a library names.

    Nothing is downloaded, and no folder is loaded, unless the user has named that model for this library. A
    folder outside the one that contains the library may also have been loaded here before.
    """
    if trust.permits_model(model):
        return Encoder.load(model)
    folder = Path(model)
    if folder.is_absolute() and not trust.is_at_home(folder) and was_loaded_here(folder):
        return Encoder.load(folder)
    return Encoder.load(model, download=False)


def _unpickled_pool(path: Path, full: Encoder | None, fast: Encoder | None) -> EncoderPool:
    pool = EncoderPool(path, full)
    pool._fast = pool._passed_fast = fast
    return pool


class PooledEncoder:
    """An encoder of a pool for one search, loaded when a term of the query needs it."""

    def __init__(self, pool: EncoderPool, model: str, snapshot: Snapshot) -> None:
        self._pool = pool
        self._model = model
        self._snapshot = snapshot

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder. Raises ModelMismatchError."""
        return self._pool.get(self._model, self._snapshot)


class LoadedEncoder:
    """An encoder that is loaded already, where a lazy one is expected."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
