"""turbovec: 4 bits a dimension, every row scanned."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benches.rivals.rival import Point, VectorSet

FILE = "index.tv"
BITS = 4
CALIBRATION_ROWS = 4096


class TurbovecFlat:
    """`TurboQuantIndex`, calibrated on a sample; a flat scan has one operating point."""

    name = "turbovec"
    distribution = "turbovec"
    about = f"TurboQuantIndex, {BITS} bits a dimension, calibrated"
    points = (Point("flat scan"),)

    def build(self, vectors: VectorSet, folder: Path, threads: int) -> None:
        from turbovec import TurboQuantIndex

        index = TurboQuantIndex(vectors.dim, BITS)
        index.calibrate(vectors.sample(CALIBRATION_ROWS))
        for _, rows in vectors.blocks():
            index.add(rows)
        index.write(str(folder / FILE))

    def open(self, folder: Path) -> None:
        from turbovec import TurboQuantIndex

        self.index = TurboQuantIndex.load(str(folder / FILE))
        self.index.prepare()

    def search(self, query: NDArray[np.float32], k: int, point: Point) -> NDArray[np.integer]:
        _, rows = self.index.search(query[None], k)
        return np.asarray(rows).reshape(-1)
