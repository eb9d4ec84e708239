"""A folder of pictures made searchable, kept in one directory.

    library = Library.build("holiday/", "holiday.snapseek")
    for hit in library.search("two dogs", k=20):
        print(hit.score, hit.uri)

In the directory: `library.db` (SQLite; what it does not name does not exist), `shards/<stem>.snap` (vectors;
docs/FORMAT.md) and `shards/<stem>.arrow` (records, an Arrow file that anyone can open). Row number is scan
position in both. `catalogue` is the database, `records` the Arrow file, `shard` the pair of files, `build`
makes them, `snapshot` asks those of one commit, `library` always the newest, `hits` are the answers, `places`
says where libraries lie. `terms` is the query language, `ask` makes one vector of the terms. `request` is
what is asked; of its filters `filter_language` and `filter_json` make a tree, `filter_meaning` types it,
`filter_rows` asks the facets of a shard (`facet_store`); `ranking` brings what matches into order.
"""

from snapseek.library.compact import CompactReport
from snapseek.library.hits import Hit, Hits, Took
from snapseek.library.info import Failure, LibraryInfo
from snapseek.library.library import Library
from snapseek.library.repair import RepairReport, repair
from snapseek.library.snapshot import Snapshot
from snapseek.library.suggestions import ColumnSuggestion, Suggestions
from snapseek.library.sync import Progress, SyncReport
from snapseek.library.terms import Term
from snapseek.library.verify import Problem, verify

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
