"""Everything that changes a library, each in commits that leave the old state or the new one.

`sync` compares sources with the `file_tracker`; new pictures are decoded and embedded by `embed` and become
small shards in `batch_writer`, which `merge` and `compact` join. `import_vectors` adds ready vectors,
`previews` makes the previews that these lack. `remove` and `move_records` need no picture,
`rewrite_records` gives records other values. `verify` finds damage, and `repair` removes it.
"""
