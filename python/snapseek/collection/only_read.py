"""The methods of `Library` that a collection does not have: each raises one sentence that says what to do."""

from collections.abc import Callable
from typing import NoReturn

from snapseek.errors import InputError


def _refused(what: str, hint: str) -> Callable[..., NoReturn]:
    """Return a method that raises InputError: this is done to the partitions one by one."""

    def method(_collection: object, *_arguments: object, **_options: object) -> NoReturn:
        raise InputError(f"a collection cannot be {what} as a whole", hint=hint)

    method.__doc__ = f"Raise InputError: {hint}."
    return method


class OnlyRead:
    """What writes to a library, or reads its files as one, is done to the partitions of a collection."""

    report = None
    """None: nothing was indexed to make this object."""

    sync = _refused("synchronized", "sync its partitions, each as a library")
    add = _refused("extended by pictures", "add the pictures to one of its partitions")
    remove = _refused("reduced by pictures", "remove the pictures from their partitions")
    previews = _refused("given previews", "make the previews of its partitions")
    compact = _refused("compacted", "compact its partitions")
    upgrade = _refused("upgraded", "upgrade its partitions, then create it again")
    upgrade_cost = _refused("upgraded", "upgrade its partitions, then create it again")
    verify = _refused(
        "verified by reading all files", "verify its partitions, or use snapseek collection verify"
    )
    repair = _refused("repaired", "repair its partitions")
    build = _refused("built", "build its partitions, then use snapseek collection create")
    import_vectors = _refused("filled with vectors", "import them into one of its partitions")
