"""Databases of format 2: read as they are, and upgraded to format 3 by the next writer."""

import sqlite3

OLD_FORMAT = "2"

_SOURCES = """
SELECT 'folder' AS kind, folder AS place FROM {files} GROUP BY folder
UNION ALL SELECT 'import', source FROM {imports} GROUP BY source
"""
_SHARDS = """
SELECT stem, rows,
    coalesce((SELECT number FROM sources WHERE kind = 'import' AND place = s.source), 0) AS source,
    0 AS generation, NULL AS records_crc FROM {shards} AS s
"""
_IMPORTS = """
SELECT (SELECT number FROM sources WHERE kind = 'import' AND place = i.source) AS source, within, size_bytes,
    modified_ns, rows, left_out, reason FROM {imports} AS i
"""
_FILES = """
SELECT (SELECT number FROM sources WHERE kind = 'folder' AND place = f.folder) AS source, within, size_bytes,
    modified_ns, NULL AS content, item, reason, 0 AS is_removed FROM {files} AS f
"""
_SELECTS = {"shards": _SHARDS, "imports": _IMPORTS, "files": _FILES}
_TABLES = ("shards", "imports", "files")


def read_as_new(connection: sqlite3.Connection) -> None:
    """Make this connection read tables of format 2 as tables of format 3, through temporary views."""
    names = {name: f"main.{name}" for name in _TABLES}
    connection.execute("CREATE TEMP TABLE sources (number INTEGER PRIMARY KEY, kind TEXT, place BLOB)")
    connection.execute("INSERT INTO temp.sources (kind, place) " + _SOURCES.format(**names))
    connection.execute("CREATE TEMP TABLE tombstones (stem TEXT, item INTEGER)")
    for name, select in _SELECTS.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS " + select.format(**names))


def read_as_stored(connection: sqlite3.Connection) -> None:
    """Remove the temporary views of `read_as_new`."""
    for name in _TABLES:
        connection.execute(f"DROP VIEW temp.{name}")
    for name in ("sources", "tombstones"):
        connection.execute(f"DROP TABLE temp.{name}")


def upgrade_tables(connection: sqlite3.Connection, schema: str) -> None:
    """Convert the tables to those of `schema`, within the open transaction."""
    names = {name: f"old_{name}" for name in _TABLES}
    for name, old in names.items():
        connection.execute(f"ALTER TABLE {name} RENAME TO {old}")
    for statement in schema.split(";\n"):
        if statement.strip() and "TABLE settings" not in statement:
            connection.execute(statement)
    connection.execute("INSERT INTO sources (kind, place) " + _SOURCES.format(**names))
    for name, select in _SELECTS.items():
        connection.execute(f"INSERT INTO {name} " + select.format(**names))
    for old in names.values():
        connection.execute(f"DROP TABLE {old}")
