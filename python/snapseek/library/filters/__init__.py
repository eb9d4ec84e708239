"""What pictures are narrowed by: `red car after:2023 -tag:draft`, and columns of the user's own.

A filter is a `tree`, read from text (`language`) or a mapping (`mapping`) and given types by the columns of
the library (`meaning`). `rows` asks it of a shard's facets: plain arrays, one a column (`facets`), made
when first asked for (`facet_build`) and kept beside large shards (`facet_store`, `facet_file`). Texts are
compared `folded`, and found in a `vocabulary`; `word_facet` is for those that are read word by word.
"""
