"""What a client asks a job to do: the body of `POST /api/jobs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snapseek.errors import InputError, ParseError
from snapseek.models.catalogue import entry_name, model_names
from snapseek.models.hub.resolve import STARTER, upgrade_model
from snapseek.search_request import check_choice
from snapseek.server.api.parameters import excerpt
from snapseek.server.jobs import ADD, PREVIEWS, REMOVE, SYNC, UPGRADE

KINDS = (SYNC, UPGRADE, PREVIEWS, ADD, REMOVE)
FIELDS = {SYNC: ("accept_missing",), UPGRADE: ("model",), PREVIEWS: (), ADD: ("path",), REMOVE: ("source",)}
"""The further fields of each kind."""

NEEDED = {ADD: "path", REMOVE: "source"}
MAX_PATH_CHARACTERS = 4096


@dataclass(frozen=True)
class JobRequest:
    """A job that a client asks for."""

    kind: str
    model: str = ""
    path: str = ""
    """The absolute path of a folder to add; `~` is the user's home."""
    source: str = ""
    """The id of a source to remove."""
    accept_missing: str = ""
    """The id of a folder whose pictures are removed, because its files are gone."""

    @property
    def is_local_only(self) -> bool:
        """Whether only this machine may ask for it: it names a path, or removes pictures."""
        return self.kind in (ADD, REMOVE) or bool(self.accept_missing)

    def folder(self) -> Path:
        """Return the folder to add. Raises InputError if it is none of this machine."""
        try:
            path = Path(self.path).expanduser()
            is_folder = path.is_absolute() and path.is_dir()
        except (OSError, RuntimeError, ValueError):
            is_folder = False
        if not is_folder:
            raise InputError(
                expected="the whole path of a folder of this machine, such as /home/me/Pictures",
                got=excerpt(self.path),
            )
        return path


def allowed_models() -> tuple[str, ...]:
    """Return the names of the models that a client may upgrade to."""
    return tuple(dict.fromkeys([STARTER, *model_names(), upgrade_model()]))


def job_request(body: dict[str, Any]) -> JobRequest:
    """Return the job that a JSON object describes. Raises InputError for anything unknown."""
    kind = body.get("kind")
    check_choice("kind", kind, KINDS)
    known = FIELDS[str(kind)]
    if unknown := [name for name in body if name != "kind" and name not in known]:
        names = " and ".join(("kind", *known))
        raise InputError(expected=f"the fields {names} for the kind {kind}", got=excerpt(unknown[0]))
    if kind == UPGRADE:
        model = body.get("model", upgrade_model())
        check_choice("model", model, allowed_models())
        return JobRequest(UPGRADE, entry_name(str(model)))
    if kind == PREVIEWS:
        return JobRequest(PREVIEWS)
    name = known[0]
    value = body.get(name, None if kind in NEEDED else "")
    if not isinstance(value, str) or len(value) > MAX_PATH_CHARACTERS or "\0" in value:
        raise ParseError(expected=f"a text as {name}", got=excerpt(value))
    return JobRequest(str(kind), **{name: value})
