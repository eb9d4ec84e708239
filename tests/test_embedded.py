from PIL import Image

from snapseek.facts import Facts, Metadata, read_metadata
from test_iptc import BLOCK
from test_xmp import block


def test_words_of_people_before_the_cameras_and_numbers_of_the_camera_first():
    exif = Image.Exif()
    exif[0x0110] = "X100V"
    exif[0x9C9B] = "by Windows".encode("utf-16-le")
    exif[0x9C9E] = "fog".encode("utf-16-le")
    found = read_metadata(Metadata(exif, block(' tiff:Model="Other"><dc:title>by hand</dc:title>'), BLOCK))
    assert found == Facts(camera="X100V", title="by hand", caption="A red door", tags=("red", "Tür", "fog"))


def test_one_broken_block_costs_no_other():
    assert read_metadata(Metadata(None, b"<broken", BLOCK)).title == "Door"
    assert read_metadata(Metadata(None, 5, "text")) == Facts()
    assert read_metadata(Metadata()) == Facts()
