"""Index and serve on many machines with Ray: `snapseek[ray]`.

    source  ->  tasks (512 pictures each)  ->  pieces (npy + parquet)  ->  partitions  ->  collection.json

`tasks` splits a source. `piece` embeds a task into two files, which appear when they are whole, so a task may
run again, and on another machine, at any time. `partition` makes a library of pieces. `ray_index` runs all of
it on Ray, which repeats the tasks of lost workers; a stop of everything costs only what was not written.
`ray_serve` serves the partitions of a collection with Ray Serve.
"""
