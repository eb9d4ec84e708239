"""The JSON schemas of jobs, upgrades and failures."""

from __future__ import annotations

from snapseek.models.catalogue import RECOMMENDED, model_names
from snapseek.models.hub.resolve import STARTER
from snapseek.server.api.json_schemas import FLAG, NUMBER, STRING, Json, list_of, object_of

COUNT: Json = {"type": "integer", "minimum": 0}
_NUMBER_OR_NULL: Json = {"type": ["number", "null"]}
_STATES = ("waiting", "running", "done", "failed", "stopped", "busy")


def job_schemas() -> dict[str, Json]:
    """Return the named schemas of jobs."""
    job = object_of(
        id=COUNT,
        kind={"type": "string", "enum": ["index", "sync", "upgrade"]},
        state={"type": "string", "enum": list(_STATES)},
        stage={**STRING, "description": "`start`, `download` (bytes), `load`, `scan`, `embed`, `switch`."},
        done=COUNT,
        total=COUNT,
        failed=COUNT,
        skipped=COUNT,
        rate=_NUMBER_OR_NULL,
        eta_s=_NUMBER_OR_NULL,
        message=STRING,
        summary=STRING,
    )
    models = [STARTER, *model_names()]
    model: Json = {"type": "string", "enum": models, "default": RECOMMENDED}
    upgrade = _only(("kind",), kind={"const": "upgrade"}, model=model)
    return {
        "Job": job,
        "Jobs": object_of(jobs=list_of(job), version=STRING, count=COUNT),
        "JobRequest": {"oneOf": [_only(("kind",), kind={"const": "sync"}), upgrade]},
        "UpgradeCost": object_of(
            model=STRING,
            current=STRING,
            is_current=FLAG,
            pictures=COUNT,
            embedded=COUNT,
            imported=COUNT,
            download_bytes={"type": ["integer", "null"], "minimum": 0},
            seconds=NUMBER,
            disk_bytes=COUNT,
            has_space=FLAG,
            may_start=FLAG,
        ),
        "Failures": object_of(total=COUNT, failures=list_of(object_of(path=STRING, reason=STRING))),
    }


def _only(required: tuple[str, ...], **properties: Json) -> Json:
    return {**object_of(**properties), "required": list(required), "additionalProperties": False}
