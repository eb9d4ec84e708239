from PIL import Image

from snapseek.metadata import ImageMetadata, MetadataBlocks, embedded_metadata
from tests.unit.metadata.test_iptc import BLOCK
from tests.unit.metadata.test_xmp import block


def test_words_of_people_before_the_cameras_and_numbers_of_the_camera_first():
    exif = Image.Exif()
    exif[0x0110] = "X100V"
    exif[0x9C9B] = "by Windows".encode("utf-16-le")
    exif[0x9C9E] = "fog".encode("utf-16-le")
    found = embedded_metadata(
        MetadataBlocks(exif, block(' tiff:Model="Other"><dc:title>by hand</dc:title>'), BLOCK)
    )
    assert found == ImageMetadata(
        camera="X100V", title="by hand", caption="A red gate", tags=("red", "Tür", "fog")
    )


def test_one_broken_block_costs_no_other():
    assert embedded_metadata(MetadataBlocks(None, b"<broken", BLOCK)).title == "Gate"
    assert embedded_metadata(MetadataBlocks(None, 5, "text")) == ImageMetadata()
    assert embedded_metadata(MetadataBlocks()) == ImageMetadata()
