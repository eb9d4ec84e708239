"""The Arrow file of a shard: one record a picture, in the order of its vectors.

`arrow_file` reads and writes it, `ipc_layout` validates its layout, and `arrow_gather` reads scattered rows.
"""
