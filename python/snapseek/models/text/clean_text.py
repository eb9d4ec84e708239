"""Clean a text as the training texts of CLIP were: the step before every tokenizer.

Curly quotes become straight, full-width letters and ligatures become plain, HTML entities and wrongly decoded
UTF-8 are repaired, control characters are removed, white space becomes single spaces. Dashes stay: the models
saw them. This is `basic_clean` of CLIP (Radford et al., 2021), which uses ftfy, and which OpenCLIP applies
before the tokenizer of each of its models.
"""

import html


def clean_text(text: str) -> str:
    """Return the text without what keyboards, word processors and web pages add to it."""
    if not _is_plain(text):
        import ftfy  # takes as long to import as all of a search, and few texts need it

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split())


def _is_plain(text: str) -> bool:
    """Return whether cleaning can change nothing but white space."""
    if not text.isascii() or "&" in text:
        return False
    return text.isprintable() or all(part.isprintable() for part in text.split())
