"""The Arrow file beside the vectors: one record a picture.

Written and read in whole by `records`; the records of an answer, far apart in it, by `row_values`.
"""
