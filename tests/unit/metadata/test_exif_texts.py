import pytest

from snapseek.metadata.exif_texts import exif_text, text_of_people, user_comment, xp_text

WORDS = "Grandma on the pier"
GERMAN = "Tür am Fluß"


@pytest.mark.parametrize(
    ("stored", "order", "text"),
    [
        (b"ASCII\0\0\0" + WORDS.encode(), "<", WORDS),
        (b"ASCII\0\0\0" + WORDS.encode() + b"\0" * 40, "<", WORDS),
        (b"ASCII\0\0\0" + GERMAN.encode(), "<", GERMAN),
        (b"ASCII\0\0\0" + GERMAN.encode("latin-1"), "<", GERMAN),
        (b"UNICODE\0" + WORDS.encode("utf-16-le"), ">", WORDS),
        (b"UNICODE\0" + WORDS.encode("utf-16-be"), "<", WORDS),
        (b"UNICODE\0" + WORDS.encode("utf-16"), ">", WORDS),
        (b"UNICODE\0\xfe\xff" + WORDS.encode("utf-16-be"), "<", WORDS),
        (b"UNICODE\0" + GERMAN.encode("utf-16-be") + b"\0\0", "<", GERMAN),
        (b"UNICODE\0" + WORDS.encode(), "<", WORDS),
        (b"UNICODE\0" + "桟橋のおばあちゃん".encode("utf-16-le"), "<", "桟橋のおばあちゃん"),
        (b"UNICODE\0" + "桟橋のおばあちゃん".encode("utf-16-be"), ">", "桟橋のおばあちゃん"),
        (b"UNICODE\0" + "Бабушка на пирсе".encode("utf-16-be"), "<", "Бабушка на пирсе"),
        (b"Unicode\0" + WORDS.encode("utf-16-le"), "<", WORDS),
        (b"JIS\0\0\0\0\0" + "桟橋".encode("iso2022_jp"), "<", "桟橋"),
        (b"JIS\0\0\0\0\0" + "桟橋".encode("euc_jp"), "<", "桟橋"),
        (b"\0" * 8 + WORDS.encode(), "<", WORDS),
        (WORDS.encode(), "<", WORDS),
        (WORDS, "<", WORDS),
        (tuple(b"ASCII\0\0\0" + WORDS.encode()), "<", WORDS),
        (b"", "<", ""),
        (b"ASCII\0\0\0", "<", ""),
        (b"UNICODE\0\0", "<", ""),
        (None, "<", ""),
        (7, "<", ""),
    ],
)
def test_a_comment_in_any_charset(stored, order, text):
    assert user_comment(stored, order) == text


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (GERMAN, GERMAN),
        (GERMAN.encode().decode("latin-1"), GERMAN),
        (GERMAN.encode("latin-1"), GERMAN),
        (b"\x93quoted\x94", "\u201cquoted\u201d"),
        ("桟橋", "桟橋"),
        (f"{WORDS}\0rest", WORDS),
        ((WORDS,), WORDS),
        (5, ""),
        (None, ""),
    ],
)
def test_a_text_in_utf8_or_latin1(stored, text):
    assert exif_text(stored) == text


def test_a_text_of_windows():
    assert xp_text("Pier\0".encode("utf-16-le")) == "Pier"
    assert xp_text(tuple("Pier".encode("utf-16-le"))) == "Pier"
    assert xp_text("桟橋".encode("utf-16")) == "桟橋"
    assert xp_text("Pier") is None


@pytest.mark.parametrize(
    "text",
    [
        "OLYMPUS DIGITAL CAMERA         ",
        "KONICA MINOLTA DIGITAL CAMERA",
        "SONY DSC",
        "DIGITAL CAMERA",
        "Exif_JPEG_PICTURE",
        "Screenshot",
        "<Digimax S600 / Kenox S600 / Digimax Cyber 630>",
        "filter: 0; fileterIntensity: 0.0; filterMask: 0; captureOrientation: 0;",
        "oplus_0",
        '{"imageEffect": 3}',
        "- - -",
        "Canon EOS R",
        "",
    ],
)
def test_what_cameras_write_is_no_caption(text):
    assert text_of_people(text, "Canon EOS R") is None


@pytest.mark.parametrize(
    "text",
    [WORDS, "My first digital camera", "A screenshot of the pier", "Norway", "Left: Ada; right: Tom", "Ω"],
)
def test_what_people_write_is_kept(text):
    assert text_of_people(text, "Canon EOS R") == text
