"""Say in words what a scan skipped."""

from collections.abc import Mapping

from snapseek.file_kinds import RAW, VIDEO, can_read_raw, can_read_video

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


def describe_skipped(counts: Mapping[str, int]) -> list[str]:
    """Return a phrase for each kind of skipped files, such as "3 RAW files"."""
    return [
        f"{counts[kind]} {words[counts[kind] != 1]}" for kind, words in _WORDS.items() if counts.get(kind)
    ]


def install_hint(counts: Mapping[str, int]) -> str:
    """Return how to have skipped RAW files and videos read; empty if there are none."""
    wanted = [(RAW, can_read_raw), (VIDEO, can_read_video)]
    extras = [kind for kind, can_read in wanted if counts.get(kind) and not can_read()]
    return f'to read them, run: pip install "snapseek[{",".join(extras)}]"' if extras else ""
