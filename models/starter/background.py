"""Write the background of the starter: `python models/starter/background.py`."""

from snapseek.library.indexing.measure_background import measure_background
from snapseek.library.paths import DEMO_PICTURES
from snapseek.models import Encoder
from snapseek.models.queries.background import FILE_NAME, store_background

if __name__ == "__main__":
    encoder = Encoder.load("starter")
    background = measure_background(encoder)
    store_background(encoder, background, encoder.files.root / FILE_NAME)
    print(f"{len(list(DEMO_PICTURES.rglob('*.jpg')))} pictures, threshold {background.threshold:.3f}")
