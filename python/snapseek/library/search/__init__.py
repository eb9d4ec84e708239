"""A search: the request, its vector, and the order of the results.

`request` checks the arguments. `terms` parses the query, `query_vector` makes one vector of it. `rank` orders
the pictures that match: by score, by `bm25`, by date or size (`sort`), without near-duplicates (`dedup`);
`rrf` fuses rankings. `relevance` says how many results are relevant, `suggestions` offers filters and words.
"""
