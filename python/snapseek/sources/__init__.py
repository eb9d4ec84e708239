"""Sources of pictures: folders, lists of URLs, archives, tables, and ready-made vectors.

A source lists and reads pictures, and does not decode them.

source = open_source(Path("holiday"))                   # a folder, a list of URLs, an archive or a table
for picture in source.read(source.find()):              # `find` lists, `read` adds bytes and metadata
    picture.uri, picture.data or picture.path, picture.metadata, picture.columns

for file, blocks in find_embeddings(Path("laion")):     # vectors of another program, in blocks of 8,192 rows
    for block in blocks:
        block.vectors, block.records
"""

from snapseek.sources.embeddings import Block, EmbeddingFile, Embeddings, find_embeddings
from snapseek.sources.fields.sidecar import Sidecar, read_sidecars
from snapseek.sources.fields.sidecar_names import with_sidecars
from snapseek.sources.folder import FolderSource, find_pictures
from snapseek.sources.folder_table import FolderFiles, FolderImages
from snapseek.sources.http.fetch_limits import FetchLimits
from snapseek.sources.open import open_source, reopen
from snapseek.sources.picture import Picture
from snapseek.sources.source import PictureSource, PlainFiles

__all__ = [
    "Block",
    "EmbeddingFile",
    "Embeddings",
    "FetchLimits",
    "FolderFiles",
    "FolderImages",
    "FolderSource",
    "Picture",
    "PictureSource",
    "PlainFiles",
    "Sidecar",
    "find_embeddings",
    "find_pictures",
    "open_source",
    "read_sidecars",
    "reopen",
    "with_sidecars",
]
