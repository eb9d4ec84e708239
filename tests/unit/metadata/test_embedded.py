from PIL import Image

from snapseek.metadata import ImageMetadata, MetadataBlocks, embedded_metadata
from tests.unit.metadata.test_iptc import BLOCK
from tests.unit.metadata.test_xmp import block


def test_texts_of_xmp_and_fields_of_exif_take_precedence():
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


def test_a_damaged_block_does_not_affect_others():
    assert embedded_metadata(MetadataBlocks(None, b"<broken", BLOCK)).title == "Gate"
    assert embedded_metadata(MetadataBlocks(None, 5, "text")) == ImageMetadata()
    assert embedded_metadata(MetadataBlocks()) == ImageMetadata()
