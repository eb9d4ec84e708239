"""A folder of pictures made searchable, kept in one directory.

    library = Library.build("holiday/", "holiday.snapseek")
    for hit in library.search("two dogs", k=20):
        print(hit.score, hit.uri)

In the directory: `library.db` (SQLite; what it does not name does not exist), `shards/<stem>.snap` (vectors;
docs/FORMAT.md) and `shards/<stem>.arrow` (records, an Arrow file that anyone can open). Row number is scan
position in both. `catalogue` is the database, `records` the Arrow file, `shard` the pair of files, `build`
makes them, `snapshot` asks those of one commit, `library` always the newest, `hits` are the answers, `places`
says where libraries lie. `terms` is the query language, `ask` makes one vector of the terms.
"""

from snapseek.library.compact import CompactReport
from snapseek.library.hits import Hit, Hits, Took
from snapseek.library.info import Failure, LibraryInfo
from snapseek.library.library import Library
from snapseek.library.snapshot import Snapshot
from snapseek.library.sync import Progress, SyncReport
from snapseek.library.terms import Term

__all__ = [
    "CompactReport",
    "Failure",
    "Hit",
    "Hits",
    "Library",
    "LibraryInfo",
    "Progress",
    "Snapshot",
    "SyncReport",
    "Term",
    "Took",
]
