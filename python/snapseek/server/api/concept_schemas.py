"""The JSON schemas of taught words."""

from __future__ import annotations

from snapseek.server.api.json_schemas import FLAG, ID, STRING, Json, list_of, object_of, reference
from snapseek.server.api.parameters import MAX_IDS


def concept_schemas() -> dict[str, Json]:
    """Return the named schemas of taught words."""
    ids: Json = list_of(ID)
    some: Json = {**ids, "maxItems": MAX_IDS}
    marks = object_of(name=STRING, examples=some, counterexamples=some, unmark=some)
    return {
        "Concept": object_of(name=STRING, examples=ids, counterexamples=ids),
        "Concepts": object_of(concepts=list_of(reference("Concept")), may_teach=FLAG),
        "Marks": {**marks, "required": ["name"], "additionalProperties": False},
        "NewName": {**object_of(name=STRING, new_name=STRING), "additionalProperties": False},
        "ConceptName": {**object_of(name=STRING), "additionalProperties": False},
    }
