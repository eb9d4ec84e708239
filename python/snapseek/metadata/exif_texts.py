"""Decode the texts of EXIF, and tell those of people from those that cameras write into every picture."""

import re

_CHARSET_BYTES = 8
_WIDE_SHARE = 0.3
"""UTF-16 of Latin text has a zero in every second byte; more zeros than this share say which one."""

_CAMERA_TEXTS = re.compile(
    r"((olympus|konica|minolta|sony|samsung|kodak|sanyo|fuji\w*|nikon|casio|vivitar|hp|ricoh|pentax|canon)"
    r"[\w .-]{0,20} )?(digital (still )?camera|dsc|dcf \d.*)"
    r"|exif[_ ]jpeg[_ ]?(picture|420)?|digital (image|photo|picture)|user ?comments?"
    r"|image ?(description|title)|<(digimax|kenox).*|digimax.*|hisilicon.*|lead technologies.*|applemark"
    r"|binary comment|untitled|default|processed with .*|created (by|with) .*|creator: .*|charset=.*"
    r"|screenshot|jpeg|dcim|mydsc|none|null|n/?a|cof|edf|hdrpl|fhdr|sdr|rbt|rhdr|nor|dav|vtr|fbt|fptbty|ptr|ozedf|oplus_\d+"
    r"|mde|binary|file written by .*|filter: ?-?\d.*;.*|\{\".*|<\?xml.*|maker:.*|unknown|\W*",
    re.IGNORECASE | re.DOTALL,
)
"""Texts that a camera or program writes into every picture: names of makes, filters, settings as JSON."""


def exif_text(value: object) -> str:
    """Return a text up to its first NUL. Pillow reads ASCII fields as Latin-1, but programs write UTF-8."""
    if isinstance(value, tuple):
        value = value[0] if value else ""
    if isinstance(value, str):
        try:
            value = value.encode("latin-1")
        except UnicodeEncodeError:
            return str(value).partition("\0")[0].strip()
    return _narrow(value).partition("\0")[0].strip() if isinstance(value, bytes) else ""


def xp_text(value: object) -> str | None:
    """Return a text of the XP tags, which Windows writes in UTF-16."""
    if isinstance(value, tuple) and all(isinstance(entry, int) and 0 <= entry < 256 for entry in value):
        value = bytes(value)
    if not isinstance(value, bytes):
        return None
    return value.decode("utf-16-le", "replace").partition("\0")[0].lstrip("\ufeff")


def user_comment(value: object, byte_order: str = "<") -> str:
    """Return the text of UserComment, whose first eight bytes name its character set.

    `byte_order` is that of the file, `<` or `>`: that of UTF-16 without other signs.
    """
    if isinstance(value, str):
        try:
            value = value.encode("latin-1")
        except UnicodeEncodeError:
            return str(value).partition("\0")[0].strip()
    if isinstance(value, tuple) and all(isinstance(entry, int) and 0 <= entry < 256 for entry in value):
        value = bytes(value)
    if not isinstance(value, bytes):
        return ""
    charset = value[:_CHARSET_BYTES].rstrip(b"\0 ").upper()
    body = value[_CHARSET_BYTES:]
    match charset:
        case b"UNICODE":
            text = _wide(body, byte_order)
        case b"JIS":
            text = _japanese(body)
        case b"ASCII" | b"":
            text = _narrow(body.lstrip(b"\0 "))
        case _:  # a program left out the character set
            text = _narrow(value)
    return text.partition("\0")[0].strip()


def text_of_people(text: str, *camera: str) -> str | None:
    """Return the text, None if it is empty or one that the camera writes into every picture."""
    if not text or _CAMERA_TEXTS.fullmatch(text.strip()):
        return None
    return None if text.casefold() in {name.casefold() for name in camera} else text


def _narrow(data: bytes) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _wide(data: bytes, byte_order: str) -> str:
    """Decode UTF-16 by its byte order mark, by where zero bytes are, else in the order of the file.

    Some programs write UTF-8 under this name.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    text = data.rstrip(b"\0 ")
    pairs = max(1, len(text) // 2)
    even, odd = text[::2].count(0), text[1::2].count(0)
    if max(even, odd) > _WIDE_SHARE * pairs and even != odd:
        return data.decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    if not even and not odd and _is_utf8(text):
        return text.decode("utf-8")
    native, other = ("utf-16-be", "utf-16-le") if byte_order == ">" else ("utf-16-le", "utf-16-be")
    return max((_paired(data, native), _paired(data, other)), key=_plausibility)


def _paired(data: bytes, encoding: str) -> str:
    return data[: len(data) & ~1].decode(encoding, "replace").partition("\0")[0]


def _plausibility(text: str) -> float:
    """Return the share of characters that are assigned; of alphabets that texts of one language share."""
    if not text:
        return 0.0
    printable = sum(character.isprintable() for character in text) / len(text)
    blocks = len({ord(character) >> 8 for character in text}) / len(text)
    return printable - blocks / 4


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _japanese(data: bytes) -> str:
    encodings = ("iso2022_jp",) if b"\x1b" in data else ("euc_jp", "shift_jis")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("iso2022_jp", "replace")
