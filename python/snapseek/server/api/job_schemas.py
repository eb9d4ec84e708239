"""The JSON schemas of jobs, upgrades, failures and libraries."""

from __future__ import annotations

from snapseek.models.hub.resolve import upgrade_model
from snapseek.server.api.job_request import allowed_models
from snapseek.server.api.json_schemas import FLAG, NUMBER, STRING, Json, list_of, object_of

COUNT: Json = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL: Json = {"type": ["integer", "null"], "minimum": 0}
_NUMBER_OR_NULL: Json = {"type": ["number", "null"]}
_STATES = ("waiting", "running", "done", "failed", "stopped", "busy")


def job_schemas() -> dict[str, Json]:
    """Return the named schemas of jobs."""
    job = object_of(
        id=COUNT,
        kind={"type": "string", "enum": ["index", "sync", "upgrade", "previews", "add", "remove"]},
        state={"type": "string", "enum": list(_STATES)},
        stage={
            **STRING,
            "description": "`start`, `download` (bytes), `load`, `scan`, `embed`, `switch`, `student`.",
        },
        done=COUNT,
        total=COUNT,
        failed=COUNT,
        skipped=COUNT,
        rate=_NUMBER_OR_NULL,
        eta_s=_NUMBER_OR_NULL,
        message=STRING,
        summary=STRING,
    )
    model: Json = {"type": "string", "enum": list(allowed_models()), "default": upgrade_model()}
    requests = [
        _only(("kind",), kind={"const": "sync"}, accept_missing=STRING),
        _only(("kind",), kind={"const": "previews"}),
        _only(("kind",), kind={"const": "upgrade"}, model=model),
        _only(("kind", "path"), kind={"const": "add"}, path=STRING),
        _only(("kind", "source"), kind={"const": "remove"}, source=STRING),
    ]
    return {
        "Job": job,
        "Jobs": object_of(jobs=list_of(job), version=STRING, count=COUNT, model=STRING),
        "JobRequest": {"oneOf": requests},
        "UpgradeCost": object_of(
            model=STRING,
            current=STRING,
            is_current=FLAG,
            pictures=COUNT,
            embedded=COUNT,
            imported=COUNT,
            download_bytes=_COUNT_OR_NULL,
            seconds=NUMBER,
            disk_bytes=COUNT,
            free_bytes=_COUNT_OR_NULL,
            missing=_COUNT_OR_NULL,
            has_space=FLAG,
            may_start=FLAG,
        ),
        "Previews": object_of(missing=COUNT, failed=COUNT, may_start=FLAG),
        "Failures": object_of(total=COUNT, failures=list_of(object_of(path=STRING, reason=STRING))),
        "Library": object_of(
            path={"type": ["string", "null"]},
            size_bytes=COUNT,
            last_sync={"type": ["string", "null"]},
            sources=list_of(
                object_of(
                    id=STRING,
                    path=STRING,
                    kind=STRING,
                    state={"type": "string", "enum": ["ready", "missing", "unconfirmed", "imported"]},
                    pictures=COUNT,
                )
            ),
            missing=list_of(object_of(id=STRING, path=STRING, pictures=COUNT)),
            skipped=list_of(object_of(path=STRING, kind=STRING)),
            may_sync=FLAG,
            may_edit=FLAG,
        ),
        "Libraries": object_of(
            libraries=list_of(
                object_of(
                    id=STRING,
                    path=STRING,
                    pictures=_COUNT_OR_NULL,
                    model={"type": ["string", "null"]},
                    is_current=FLAG,
                )
            ),
            may_open=FLAG,
        ),
        "LibraryRequest": _only(("id",), id=STRING),
        "Address": object_of(url=STRING),
    }


def _only(required: tuple[str, ...], **properties: Json) -> Json:
    return {**object_of(**properties), "required": list(required), "additionalProperties": False}
