"""Everything that changes a library, in commits that leave the old state or the new one.

`sync` compares sources with the `file_tracker`. `embed` decodes and embeds the new pictures, `batch_writer`
writes them as small shards, and `compact` joins shards with the rows that `merge` reads. `import_vectors`
adds vectors that were made elsewhere, `previews` the previews that these lack. `remove`, `update_records` and
`rewrite_records` change a library without a model. `verify` finds damage, and `repair` removes it.
"""
