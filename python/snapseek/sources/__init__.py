"""Where pictures come from. Each source is one file and yields `Picture` records; none opens a picture.

for picture in find_pictures(Path("holiday")):
    picture.path, picture.uri, picture.size_bytes
"""

from snapseek.sources.folder import find_pictures
from snapseek.sources.picture import Picture

__all__ = ["Picture", "find_pictures"]
