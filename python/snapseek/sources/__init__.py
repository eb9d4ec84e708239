"""Where pictures come from. Each source is one file; none opens a picture, none knows a model or a library.

for picture in find_pictures(Path("holiday")):          # files to embed, one by one
    picture.path, picture.uri, picture.size_bytes

for file, blocks in find_embeddings(Path("laion")):     # vectors made elsewhere, some thousand rows at a time
    for block in blocks:
        block.vectors, block.records
"""

from snapseek.sources.embeddings import Block, EmbeddingFile, Embeddings, find_embeddings
from snapseek.sources.folder import find_pictures
from snapseek.sources.picture import Picture
from snapseek.sources.sidecar import Sidecar, read_sidecars

__all__ = [
    "Block",
    "EmbeddingFile",
    "Embeddings",
    "Picture",
    "Sidecar",
    "find_embeddings",
    "find_pictures",
    "read_sidecars",
]
