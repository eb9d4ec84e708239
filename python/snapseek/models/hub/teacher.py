"""Whose pupil a distilled text tower is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from snapseek.errors import ModelError
from snapseek.models.hub.layout import read_config


@dataclass(frozen=True)
class Teacher:
    """The model in whose space a student answers: `name` is what `Encoder.load` takes."""

    name: str
    fingerprint: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a `student.json`. Raises ModelError when it names no teacher."""
        named = read_config(path).get("teacher")
        fields: dict[str, Any] = named if isinstance(named, dict) else {}
        name, fingerprint = fields.get("name"), fields.get("fingerprint")
        if not (isinstance(name, str) and name and isinstance(fingerprint, str) and fingerprint):
            raise ModelError(
                f'expected {{"teacher": {{"name": …, "fingerprint": …}}}} in {path}, found {named!r}'
            )
        return cls(name, fingerprint)
