"""A folder of pictures made searchable, kept in one directory.

    library = Library.build("holiday/", "holiday.snapseek")
    for hit in library.search("two dogs", limit=20):
        print(hit.score, hit.uri)

In the directory: `library.db` (SQLite; what it does not name does not exist), `shards/<stem>.snap`
(vectors; docs/FORMAT.md) and `shards/<stem>.arrow` (records, an Arrow file that anyone can open). Row
number is scan position in both.

`library` has the public class. It searches the `snapshot`, the state of one commit, that `snapshot_cache`
keeps up to date; `encoders` are the models. Each of these packages imports only from those before it:
`records` and `filters`, `columns`, `storage`, and then `search` and `indexing`. `results` are the answers,
`paths` says where libraries are.
"""

from snapseek.library.indexing.compact import CompactReport
from snapseek.library.indexing.repair import RepairReport, repair
from snapseek.library.indexing.sync import Progress, SyncReport
from snapseek.library.indexing.verify import Problem, verify
from snapseek.library.info import Failure, LibraryInfo
from snapseek.library.library import Library
from snapseek.library.results import Hit, Hits, Timings
from snapseek.library.search.suggestions import ColumnSuggestion, Suggestions
from snapseek.library.search.terms import Term
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
    "Timings",
    "repair",
    "verify",
]
