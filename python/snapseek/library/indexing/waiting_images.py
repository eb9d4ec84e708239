"""The pictures that were passed to their source to be read, until their outcome comes back."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from snapseek.library.indexing.file_tracker import PendingImage
from snapseek.sources import Picture

_Images = defaultdict[tuple[Path, str], deque[PendingImage]]


class WaitingImages:
    """Pending images by folder and name; a name is twice if two sources have it."""

    def __init__(self) -> None:
        self._images = _Images(deque)

    def added(self, pending: Iterable[PendingImage]) -> Iterator[Picture]:
        """Yield the picture of each image, which waits from then on."""
        for image in pending:
            self._images[image.picture.folder, image.picture.within].append(image)
            yield image.picture

    def pop(self, picture: Picture) -> PendingImage:
        """Remove and return the pending image of a picture. Sources yield pictures in any order."""
        key = (picture.folder, picture.within)
        pending = self._images[key].popleft()
        if not self._images[key]:
            del self._images[key]
        return pending
