"""The files of a library: its database, which is the commit, and its shards.

`database` has the connection and the transactions, and composes the tables: `settings_table`,
`source_table`, `shard_table`, `file_table`, `import_table` and `owned_file_table`; `schema` is their SQL.
`library_directory`, `new_database` and `owned_files` create and remove files without touching foreign ones;
`lock` admits one writer. A shard is a file of vectors and one of records: `shard_draft` writes it, and
`shards` reads all of them as one. A `shard_view` is a shard without its deleted rows, and a `selection` holds
the rows that a filter selects. `shard_files` tracks the files of shards, `spool` keeps the rows of a new one
until it is complete, and `preview_queue` the previews that no shard has yet. `migrations` reads the formats
of earlier versions.
"""
