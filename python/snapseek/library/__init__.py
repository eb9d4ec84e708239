"""A library: pictures that can be searched, in one directory.

    library = Library.build("holiday/", "holiday.snapseek")
    for hit in library.search("two dogs", limit=20):
        print(hit.score, hit.path)

The directory holds `library.db` (SQLite; a file that it does not name is not part of the library),
`shards/<stem>.snap` (vectors; docs/FORMAT.md) and `shards/<stem>.arrow` (records, an ordinary Arrow file).
The row number is the scan position in both.

`library` has the public class `Library`: what reads is in `reader`, what writes in `library`. Both use the
`snapshot`, the state of one commit, which `reader` keeps up to date; `encoders` holds the models.
Each of these packages imports only from those before it: `records` and `filters`, `columns`, `storage`, then
`search` and `indexing`. `contents` has the pictures by id. `results` are the results of a search, which
`notebook` and `result_table` show; `inputs` are what `build` takes, and `paths` finds libraries.
"""

from snapseek.library.concepts.teaching import Concept
from snapseek.library.duplicates.review import DuplicateGroup, DuplicateReview
from snapseek.library.indexing.compact import CompactReport
from snapseek.library.indexing.repair import RepairReport, repair
from snapseek.library.indexing.sync_report import Progress, SyncReport
from snapseek.library.indexing.verify import Problem, verify
from snapseek.library.info import Failure, LibraryInfo, SkippedFile
from snapseek.library.library import Library
from snapseek.library.results import Hit, Hits, Timings
from snapseek.library.search.suggestions import ColumnSuggestion, Suggestions
from snapseek.library.search.terms import Term
from snapseek.library.snapshot import Snapshot

__all__ = [
    "ColumnSuggestion",
    "CompactReport",
    "Concept",
    "DuplicateGroup",
    "DuplicateReview",
    "Failure",
    "Hit",
    "Hits",
    "Library",
    "LibraryInfo",
    "Problem",
    "Progress",
    "RepairReport",
    "SkippedFile",
    "Snapshot",
    "Suggestions",
    "SyncReport",
    "Term",
    "Timings",
    "repair",
    "verify",
]
