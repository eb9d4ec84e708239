"""The SQL tables of `library.db`, and the constants that are stored in them."""

FILE_NAME = "library.db"
LOCK_NAME = "writer.lock"
MEMORY_TABLES = "tables"
"""The folder with pictures and tables that a program passed in memory; see `indexing.memory_tables`."""

SHARDS = "shards"
"""The directory of the shards' files, inside the library."""

FORMAT = 3
APPLICATION_ID = 0x534E4150
""""SNAP": the application id in the header of a `library.db`."""

PICTURES = 0
"""The `source` of shards that hold the pictures of all folders."""

FOLDER, FILES, IMPORT, URLS = "folder", "files", "import", "urls"
"""Kinds of sources: every picture below a folder; single files of a folder; a folder of vectors; a list of
URLs. `snapseek.sources` names further kinds."""

DRAFT, DROPPED, BROKEN = "draft", "dropped", "broken"
"""States of a stem without a shard: the shard was not finished, is no longer needed, or was unreadable."""

PENDING_BYTES = -1
"""The size of a file whose picture has to be embedded again, under the id that it has."""

MIN_ID = -(2**63)

TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sources (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    place BLOB NOT NULL,
    UNIQUE (kind, place)
) STRICT;
CREATE TABLE shards (
    stem TEXT PRIMARY KEY,
    rows INTEGER NOT NULL,
    source INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    records_crc INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE tombstones (stem TEXT, item INTEGER, PRIMARY KEY (stem, item)) STRICT, WITHOUT ROWID;
CREATE TABLE imports (
    source INTEGER NOT NULL,
    within BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    left_out INTEGER NOT NULL,
    reason TEXT,
    PRIMARY KEY (source, within),
    CHECK ((left_out = 0) = (reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TABLE files (
    source INTEGER NOT NULL,
    within BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    content BLOB,
    item INTEGER,
    reason TEXT,
    is_removed INTEGER NOT NULL,
    PRIMARY KEY (source, within),
    CHECK ((item IS NULL) <> (reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX files_by_item ON files (item) WHERE item IS NOT NULL;
CREATE INDEX files_left_out ON files (is_removed) WHERE reason IS NOT NULL;
"""

OWNED_FILE_TABLES = """
CREATE TABLE IF NOT EXISTS own_stems (
    stem TEXT PRIMARY KEY,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS own_files (
    stem TEXT,
    name TEXT,
    inode INTEGER NOT NULL,
    size_bytes INTEGER,
    modified_ns INTEGER,
    PRIMARY KEY (stem, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shard_files (
    stem TEXT,
    name TEXT,
    inode INTEGER NOT NULL,
    size_bytes INTEGER,
    modified_ns INTEGER,
    PRIMARY KEY (stem, name)
) STRICT, WITHOUT ROWID;
"""
"""The stems of files that this library wrote and that belong to no shard, and the files that it created.
Files of shards have a table of their own, so that an abandoned draft leaves no bytes in the database."""

FOLDER_TABLES = """
CREATE TABLE IF NOT EXISTS exclusions (source INTEGER PRIMARY KEY, patterns TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS skipped (
    source INTEGER,
    kind TEXT,
    count INTEGER NOT NULL,
    names TEXT NOT NULL,
    PRIMARY KEY (source, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS former_items (
    item INTEGER PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    content BLOB NOT NULL,
    removed_s INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS former_items_by_content ON former_items (content);
"""
"""What is excluded from a source and what its scan skipped (JSON lists of texts), and the ids that pictures
had whose files are gone. The writer adds these tables to a library of an earlier version."""
SIDECAR_TABLE = """
CREATE TABLE sidecars (
    source INTEGER,
    within BLOB,
    name BLOB,
    size_bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    PRIMARY KEY (source, within, name)
) STRICT, WITHOUT ROWID;
"""
"""The sidecar files that were read for pictures, by source and path of the picture. A library of an earlier
version has none, and its next sync reads them all."""

UPGRADE_TABLES = """
CREATE TABLE IF NOT EXISTS upgrade_model (model TEXT NOT NULL, fingerprint TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS upgrade_shards (number INTEGER PRIMARY KEY, stem TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS upgrade_items (
    item INTEGER PRIMARY KEY,
    shard INTEGER NOT NULL,
    version BLOB NOT NULL,
    from_preview INTEGER NOT NULL
) STRICT;
"""
"""An unfinished upgrade to another model: the files with its vectors, and which one holds each picture. The
writer adds these tables to a library of an earlier version."""

CONCEPT_TABLES = """
CREATE TABLE IF NOT EXISTS concepts (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS concept_marks (
    concept INTEGER,
    item INTEGER,
    is_example INTEGER NOT NULL,
    PRIMARY KEY (concept, item)
) STRICT, WITHOUT ROWID;
"""
"""The concepts that users taught: their names, and the ids of pictures that show them or do not. The writer
adds these tables to a library of an earlier version."""

FIRST_ROW = "INSERT INTO settings VALUES ('format', '3')"
