"""What changes a library, each in commits that leave the old state or the new one.

`sync` compares sources with the ledger; what is new goes through `pipeline` (decode, preview, embed) into
`pieces`, small shards that `merge` and `compact` make few of. `intake` imports vectors, `previews` makes
the pictures that these lack. `remove` and `relocate` need no picture; `rewrite` gives records other values.
`verify` finds damage, `repair` takes it out.
"""
