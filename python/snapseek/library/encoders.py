"""The models that answer for a library: its own, and a student of it for every keystroke."""

import threading
from pathlib import Path

from snapseek.errors import InputError, ModelMismatchError
from snapseek.library.snapshot import Snapshot
from snapseek.models import Encoder
from snapseek.models.hub.layout import STUDENT

FAST_MODEL = "student"  # the folder in a library where its student is looked for
TOWERS = ("full", "fast")


class EncoderPool:
    """Loads the models of the library at a path when they are asked for. Safe to use from many threads."""

    def __init__(self, path: Path, encoder: Encoder | None = None) -> None:
        """`encoder` is the library's model, if it is loaded already."""
        self._path = path
        self._lock = threading.Lock()
        self._full = encoder
        self._fast: Encoder | None = None

    @property
    def provider(self) -> str:
        """The execution provider of the library's model, or that it is not loaded."""
        return self._full.provider if self._full else "not loaded"

    def full(self, snapshot: Snapshot) -> Encoder:
        """The model of that state of the library. Raises ModelMismatchError when it is not what it was."""
        with self._lock:
            if self._full is None or self._full.space != snapshot.settings["fingerprint"]:
                encoder = Encoder.load(snapshot.settings["model"])
                self.check(encoder, snapshot)
                self._full = encoder
            return self._full

    def fast(self, snapshot: Snapshot) -> Encoder | None:
        """The student: the one that was named, or that in the library. Raises ModelMismatchError."""
        with self._lock:
            beside = self._path / FAST_MODEL
            if self._fast is None and (beside / STUDENT).is_file():
                self._fast = Encoder.load(beside)
            if self._fast is not None:
                self.check(self._fast, snapshot)
            return self._fast

    def set_fast(self, model: str | Path, snapshot: Snapshot) -> None:
        """Take that model for the student. Raises ModelMismatchError for another's."""
        encoder = Encoder.load(model)
        self.check(encoder, snapshot)
        self._fast = encoder

    def of(self, tower: str, snapshot: Snapshot) -> Encoder:
        """The model that answers for `full` or `fast`; without a student the full one does for both.

        Raises InputError for another tower, ModelMismatchError as `full` and `fast` do.
        """
        if tower not in TOWERS:
            raise InputError(f"expected the tower full or fast, found {tower!r}")
        student = self.fast(snapshot) if tower == "fast" else None
        return student or self.full(snapshot)

    def check(self, encoder: Encoder, snapshot: Snapshot) -> None:
        """Raises ModelMismatchError if vectors of that state are not in the space of `encoder`."""
        needed = snapshot.settings["fingerprint"]
        if encoder.space != needed:
            raise ModelMismatchError(
                f"the library {self._path} was made by '{snapshot.settings['model']}' ({needed[:12]}); "
                f"asked with '{encoder.name}' ({encoder.space[:12]}): "
                "use that model, or index the folder anew"
            )
