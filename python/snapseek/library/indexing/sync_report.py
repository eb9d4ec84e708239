"""What a sync did, and how far it is."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from snapseek.sources.folder import SkippedKind


@dataclass(frozen=True)
class Progress:
    """The progress of an index: `done` of `total` files, `failed` of them without success.

    `skipped` files are unchanged and not part of the total.
    """

    done: int
    total: int
    failed: int
    skipped: int = 0


@dataclass(frozen=True)
class SyncReport:
    """The numbers of files that a sync added, updated, moved, removed, left alone, or could not read.

    Of the `unchanged` files, `failed_before` could not be read by an earlier sync, and the user has removed
    the pictures of `removed_before`: both are not in the library.
    `described` are those with new metadata only, from a sidecar file: nothing was embedded.
    `missing` are sources that are gone or empty, and folders of a source that are empty now; their pictures
    stay. `unconfirmed` are sources that the library names and the user has not confirmed: they are not read,
    their pictures stay. `duplicates` are pictures that were reached twice and are in the library once. `raw`
    and `video` are how many of the added and updated ones are RAW files and videos. `compaction_skipped` is
    the reason why small shards were not merged.
    """

    added: int = 0
    updated: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: int = 0
    described: int = 0
    failed_before: int = 0
    removed_before: int = 0
    missing: tuple[Path, ...] = ()
    unconfirmed: tuple[Path, ...] = ()
    duplicates: int = 0
    raw: int = 0
    video: int = 0
    skipped: tuple[SkippedKind, ...] = ()
    """The files and folders that were not read as pictures, by folder and kind."""
    compaction_skipped: str | None = None
    is_stopped: bool = False
    """Whether the sync was stopped before all pictures were embedded."""
    notes: tuple[str, ...] = ()
    """The first notes on files that were read in part, sidecars that were skipped, values of tables that
    changed or were lost, and folders that contain each other."""

    @property
    def has_changed(self) -> bool:
        """Return whether the sync changed the library."""
        return any((self.added, self.updated, self.moved, self.removed, self.failed, self.described))


_SUMMED = (
    *("added", "updated", "moved", "removed", "unchanged", "failed", "described"),
    *("failed_before", "removed_before"),
    *("missing", "unconfirmed", "duplicates", "raw", "video", "skipped", "notes"),
)
"""The fields of a report that add up."""


def total(reports: Iterable[SyncReport]) -> SyncReport:
    """Return the sum of several reports."""
    found = SyncReport()
    for report in reports:
        sums = {name: getattr(found, name) + getattr(report, name) for name in _SUMMED}
        sums["compaction_skipped"] = report.compaction_skipped or found.compaction_skipped
        found = SyncReport(**sums, is_stopped=report.is_stopped or found.is_stopped)
    return found


def with_upgrade(report: SyncReport, embedded: int) -> SyncReport:
    """Return the report of a sync that followed an upgrade: its unchanged pictures were embedded again."""
    updated = min(embedded, report.unchanged)
    return replace(report, updated=report.updated + updated, unchanged=report.unchanged - updated)
