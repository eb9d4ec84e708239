"""What a collection says of itself, and of its partitions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from snapseek.library.info import LibraryInfo, PartitionStatus

if TYPE_CHECKING:
    from snapseek.collection.collection_snapshot import CollectionSnapshot


def info_of(snapshot: CollectionSnapshot, provider: str) -> LibraryInfo:
    """Return what the collection is in one state; sizes and counts are sums over its partitions."""
    facts = [member.facts for _, member in sorted(snapshot.members.items())]
    skipped: Counter[str] = Counter()
    for one in facts:
        skipped.update(one.skipped)
    manifest = snapshot.manifest
    return LibraryInfo(
        path=snapshot.path,
        name=manifest.name,
        count=len(snapshot),
        failed=sum(one.failed for one in facts),
        skipped=dict(skipped),
        dim=manifest.dim,
        model=manifest.model,
        fingerprint=manifest.fingerprint,
        provider=provider,
        kernel=facts[0].kernel if facts else "none",
        version=snapshot.version,
        created=min((one.created for one in facts), default=""),
        size_bytes=sum(one.size_bytes for one in facts),
        folders=(),
        has_remote=any(one.has_remote for one in facts),
    )


def states_of(snapshot: CollectionSnapshot) -> list[PartitionStatus]:
    """Return the partitions, and which of them answer."""
    found = []
    for entry in snapshot.manifest.partitions:
        member = snapshot.members.get(entry.number)
        lost = snapshot.missing.get(entry.number) or snapshot.silent.get(entry.number)
        count = member.facts.count if member else 0
        found.append(PartitionStatus(entry.name, count, lost.summary if lost else None))
    return found
