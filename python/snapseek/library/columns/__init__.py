"""Column indexes: what filters read.

`column_store` has the indexes of a shard. `column_builder` builds one from the records: `numeric`,
`dictionary`, `label_list` or `fulltext`, the last three over a `term_dictionary`. `index_files` stores them
in the format of `column_file`, and `column_check` validates what it reads.
"""
