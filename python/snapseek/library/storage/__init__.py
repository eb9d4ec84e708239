"""The files of a library: what is committed, and who may change it.

`database` is the commit; its `database_rows` name every `shard`: a file of vectors and one of records. A
`shard_view` is a shard without its tombstones, `shards` are all of them as one, and a `selection` holds the
rows that a filter allows. `spool` keeps rows on the disk until their shard is complete, `fsync` makes files
durable, `disk_space` checks that there is enough, and an `exclusive_writer` holds the `lock`.
`preview_queue` keeps previews that no shard has yet. `migrations` reads the formats of earlier versions.
"""
