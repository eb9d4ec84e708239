"""The JSON schemas of taught words and of near-duplicates."""

from __future__ import annotations

from snapseek.server.api.job_schemas import COUNT
from snapseek.server.api.json_schemas import FLAG, ID, STRING, Json, list_of, object_of, reference
from snapseek.server.api.parameters import MAX_IDS


def concept_schemas() -> dict[str, Json]:
    """Return the named schemas of taught words and of near-duplicates."""
    ids: Json = list_of(ID)
    bounded: Json = {**ids, "maxItems": MAX_IDS}
    marks = object_of(name=STRING, examples=bounded, counterexamples=bounded, unmark=bounded)
    group = object_of(free_bytes=COUNT, ids=ids, results=list_of(reference("Result")))
    return {
        "Duplicates": object_of(
            total=COUNT, compared=COUNT, others=COUNT, free_bytes=COUNT, groups=list_of(group)
        ),
        "Concept": object_of(name=STRING, examples=ids, counterexamples=ids),
        "Concepts": object_of(concepts=list_of(reference("Concept")), may_teach=FLAG),
        "Marks": {**marks, "required": ["name"], "additionalProperties": False},
        "NewName": {**object_of(name=STRING, new_name=STRING), "additionalProperties": False},
        "ConceptName": {**object_of(name=STRING), "additionalProperties": False},
    }
