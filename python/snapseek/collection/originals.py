"""Originals that the servers of partitions have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snapseek.collection.scatter import OK, Call, scatter
from snapseek.errors import ItemNotFoundError, PartitionError

if TYPE_CHECKING:
    from snapseek.collection.partitions import RemotePartition

_KNOWN = (404, 415)
"""What a server answers for an original that it does not have or cannot read."""

_DEADLINE_FACTOR = 6
"""An original is larger than an answer."""


def remote_original(partition: RemotePartition, local: int, item: int, deadline_s: float) -> bytes:
    """Return the bytes of an original, or of the JPEG that a server makes of it, up to 64 MB.

    Raises
    ------
    ItemNotFoundError
        The partition has no original of that picture, or does not answer.
    """

    def accept(status: int, body: memoryview) -> bytes | None:
        if status == OK:
            return bytes(body)
        if status in _KNOWN:
            return None
        raise PartitionError(f"the HTTP status {status}")

    call = Call(
        partition.in_order(None),
        lambda replica: replica.get_head(f"/api/image/{local}"),
        accept,
        _DEADLINE_FACTOR * partition.hedge_s,
    )
    scatter([call], _DEADLINE_FACTOR * deadline_s)
    if call.result is None:
        got = "none that can be sent" if call.failure is None else call.failure.summary
        raise ItemNotFoundError(
            expected=f"the original of picture {item} at partition {partition.entry.name}",
            got=got,
            hint="only its preview is left",
        )
    data: bytes = call.result
    return data
