"""Filters: `red car after:2023 -tag:draft`, and columns of the user's own.

A filter is an `ast`, made from text (`parser`) or from a mapping (`from_mapping`); `typecheck` resolves it
against the columns of a library. Texts are compared after `text_normalize`.
"""
