"""A folder of pictures made searchable, kept in one directory.

    library = Library.build("holiday/", "holiday.snapseek")
    for hit in library.search("two dogs", k=20):
        print(hit.score, hit.uri)

In the directory: `library.db` (SQLite; what it does not name does not exist), `shards/<stem>.snap`
(vectors; docs/FORMAT.md) and `shards/<stem>.arrow` (records, an Arrow file that anyone can open). Row
number is scan position in both.

`library` is the front door: it asks the `newest` `snapshot`, the state of one commit, and its `towers` for
the vectors of words. Behind it are rooms, each of which imports only from those before it: `table` (the
records), `filters`, `disk` (catalogue and shards), `queries`, and beside these `changes`. `hits` are the
answers, `places` says where libraries lie.
"""

from snapseek.library.changes.compact import CompactReport
from snapseek.library.changes.repair import RepairReport, repair
from snapseek.library.changes.sync import Progress, SyncReport
from snapseek.library.changes.verify import Problem, verify
from snapseek.library.hits import Hit, Hits, Took
from snapseek.library.info import Failure, LibraryInfo
from snapseek.library.library import Library
from snapseek.library.queries.suggestions import ColumnSuggestion, Suggestions
from snapseek.library.queries.terms import Term
from snapseek.library.snapshot import Snapshot

__all__ = [
    "ColumnSuggestion",
    "CompactReport",
    "Failure",
    "Hit",
    "Hits",
    "Library",
    "LibraryInfo",
    "Problem",
    "Progress",
    "RepairReport",
    "Snapshot",
    "Suggestions",
    "SyncReport",
    "Term",
    "Took",
    "repair",
    "verify",
]
