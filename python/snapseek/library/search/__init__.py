"""Search: the resolved request, its vector, and the order of the results.

`request` resolves a `SearchRequest` for one library. `terms` parses the query, `query_vector` makes one
vector of it. `rank` orders the pictures that match: by score, by `bm25`, by date or size, with
near-duplicates grouped (`dedup`); `rrf` fuses rankings. `relevance` counts the relevant results,
`suggestions` offers filters and words.
"""
