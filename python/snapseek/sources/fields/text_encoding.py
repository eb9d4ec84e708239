"""Decode text that may not be UTF-8: each byte that is not part of valid UTF-8 is read as Windows-1252.

Windows-1252 is what spreadsheets write in western languages; it has the printable characters of latin-1. Its
five undefined bytes are read as latin-1, so every sequence of bytes has a text.
"""

import codecs

UTF8_ERRORS = "snapseek.windows-1252"
"""The error handler for decoders of UTF-8 that implements this rule."""


def decode_text(data: bytes) -> str:
    """Return the bytes as text by the rule of this module."""
    return data.decode("utf-8", UTF8_ERRORS)


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    invalid = error.object[error.start : error.end]
    return "".join(map(_letter, invalid)), error.end


def _letter(byte: int) -> str:
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


codecs.register_error(UTF8_ERRORS, _as_windows_1252)
