"""Say in words what a scan skipped."""

from collections.abc import Iterable

from snapseek.file_kinds import RAW, VIDEO, can_read_raw, can_read_video
from snapseek.sources.folder import SkippedKind

_SHOWN = 3

_WORDS = {
    RAW: ("RAW file", "RAW files"),
    VIDEO: ("video", "videos"),
    "jpeg_xl": ("JPEG XL picture", "JPEG XL pictures"),
    "jpeg_2000": ("JPEG 2000 picture", "JPEG 2000 pictures"),
    "photoshop": ("Photoshop document", "Photoshop documents"),
    "svg": ("SVG drawing", "SVG drawings"),
    "other_picture": ("picture of another format", "pictures of other formats"),
    "other": ("other file", "other files"),
    "hidden": ("hidden file or folder", "hidden files and folders"),
    "excluded": ("excluded file or folder", "excluded files and folders"),
    "linked_folder": ("linked folder", "linked folders"),
    "paired": ("RAW file or video of a picture", "RAW files and videos of pictures"),
}


def describe_skipped(skipped: Iterable[SkippedKind]) -> list[str]:
    """Return a phrase for each kind of skipped files, such as "2 RAW files (a.nef, b.nef)"."""
    phrases = []
    for kind, words in _WORDS.items():
        found = [entry for entry in skipped if entry.kind == kind]
        if count := sum(entry.count for entry in found):
            names = [name for entry in found for name in entry.examples]
            shown = ", ".join(names[:_SHOWN]) + (", …" if count > _SHOWN else "")
            phrases.append(f"{count} {words[count != 1]}" + (f" ({shown})" if names else ""))
    return phrases


def install_hint(skipped: Iterable[SkippedKind]) -> str:
    """Return how to have skipped RAW files and videos read; empty if there are none."""
    kinds = {entry.kind for entry in skipped}
    extras = [
        kind
        for kind, can_read in ((RAW, can_read_raw), (VIDEO, can_read_video))
        if kind in kinds and not can_read()
    ]
    return f'to read them, run: pip install "snapseek[{",".join(extras)}]"' if extras else ""
