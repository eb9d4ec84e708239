"""A library on the disk: what is committed, and by whom it may be changed.

`catalogue` is the database, whose `rows` name every `shard`: the pair of files that hold vectors and
records. A `part` is a shard without the pictures that were removed since, `shards` are all of them as if
they were one, and `matching` says which pictures of them a filter leaves. `ledger` and `pending` know what
has been done with which file. What is not finished lies in a `stage`; `durable` brings it to the disk,
`room` says whether that has any, and a `writer` holds the `lock`. `migrate` reads what earlier versions
wrote.
"""
