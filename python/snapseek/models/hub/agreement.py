"""Models that are used only after their towers were compared with full precision on this machine.

4-bit weights run on all processors, but how near their vectors are depends on the kernels of ONNX Runtime. So
the catalogue marks such an entry, and `snapseek models check` compares it once.
"""

from snapseek.errors import ModelError
from snapseek.models.catalogue import find_entry
from snapseek.models.hub.model_files import ModelFiles
from snapseek.models.hub.probe_cache import has_verdict, store_verdict

_AGREES = "agrees with full precision"


def store_agreement(files: ModelFiles) -> None:
    """Record that the towers of these files agree with full precision."""
    store_verdict(_AGREES, _content(files))


def require_agreement(model: str, files: ModelFiles) -> None:
    """Raise ModelError for an entry that must be compared first and was not."""
    entry = find_entry(model)
    if entry is not None and entry.needs_check and not has_verdict(_AGREES, _content(files)):
        raise ModelError(
            expected=f"{entry.name} to be compared with {entry.reference} on this machine first",
            got="no comparison",
            hint=f"run: snapseek models pull {entry.name}, snapseek models pull {entry.reference}, then "
            f"snapseek models check {entry.name}",
        )


def _content(files: ModelFiles) -> str:
    return "\n".join(files.digests())
