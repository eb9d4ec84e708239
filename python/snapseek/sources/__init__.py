"""Where pictures come from. Each source is one file; none opens a picture, none knows a model or a library.

source = open_source(Path("holiday"))                   # a folder, a list of urls, an archive, a table
for picture in source.read(source.find()):              # to embed, one by one; `find` alone only looks
    picture.uri, picture.data or picture.path, picture.facts, picture.columns

for file, blocks in find_embeddings(Path("laion")):     # vectors made elsewhere, some thousand rows at a time
    for block in blocks:
        block.vectors, block.records
"""

from snapseek.sources.embeddings import Block, EmbeddingFile, Embeddings, find_embeddings
from snapseek.sources.fields.sidecar import Sidecar, read_sidecars
from snapseek.sources.folder import find_pictures
from snapseek.sources.http.fetch_limits import FetchLimits
from snapseek.sources.open import open_source, reopen
from snapseek.sources.picture import Picture
from snapseek.sources.source import PictureSource, PlainFiles

__all__ = [
    "Block",
    "EmbeddingFile",
    "Embeddings",
    "FetchLimits",
    "Picture",
    "PictureSource",
    "PlainFiles",
    "Sidecar",
    "find_embeddings",
    "find_pictures",
    "open_source",
    "read_sidecars",
    "reopen",
]
