"""Filters: `red car after:2023 -tag:draft`, and columns of the user's own.

A filter is a tree (`ast`), parsed from text (`parser`) or from a mapping (`from_mapping`). `typecheck` types
it for the columns of a library. Texts are compared after `text_normalize`.
"""
