"""The Arrow file beside the vectors: one record a picture.

`arrow_file` reads and writes it; `arrow_gather` reads the records of scattered rows.
"""
