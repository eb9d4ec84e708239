"""The methods of `Library` that a collection does not have: each raises one sentence that says what to do."""

from collections.abc import Callable
from typing import NoReturn

from snapseek.errors import InputError


def _refused(sentence: str, hint: str) -> Callable[..., NoReturn]:
    """Return a method that raises InputError: this is done to the partitions one by one."""

    def method(_collection: object, *_arguments: object, **_options: object) -> NoReturn:
        raise InputError(sentence, hint=hint)

    method.__doc__ = f"Raise InputError: {sentence}."
    return method


class OnlyRead:
    """What writes to a library, or reads its files as one, is done to the partitions of a collection."""

    report = None
    """None: nothing was indexed to make this object."""

    sync = _refused("a collection cannot be synchronized as a whole", "sync its partitions")
    add = _refused("pictures cannot be added to a collection", "add them to one of its partitions")
    remove = _refused("pictures cannot be removed from a collection", "remove them from its partitions")
    previews = _refused("a collection cannot be given previews", "make the previews of its partitions")
    compact = _refused("a collection cannot be compacted", "compact its partitions")
    upgrade = _refused(
        "a collection cannot be upgraded as a whole", "upgrade its partitions, then create it again"
    )
    upgrade_cost = upgrade
    verify = _refused(
        "the files of a collection cannot be verified as a whole",
        "verify its partitions; snapseek collection verify looks whether they answer",
    )
    repair = _refused("a collection cannot be repaired as a whole", "repair its partitions")
    build = _refused(
        "a collection cannot be built from pictures",
        "build its partitions, then run: snapseek collection create MANIFEST LIBRARY...",
    )
    import_vectors = _refused(
        "vectors cannot be imported into a collection", "import them into one of its partitions"
    )
