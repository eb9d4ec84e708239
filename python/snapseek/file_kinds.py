"""What a file is by the ending of its name: a picture, a RAW file, a video, or another kind.

`sources` lists files by these kinds, and `images` decodes them. RAW files and videos need optional packages.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import PurePath


def _suffixes(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


PICTURE_SUFFIXES = _suffixes(
    "jpg jpeg jpe jfif mpo png apng webp gif bmp dib tif tiff avif avifs heic heif hif"
)
RAW_SUFFIXES = _suffixes(
    "3fr ari arw bay cap cr2 cr3 crw dcr dcs dng drf eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef "
    "nrw orf pef ptx pxn raf raw rw2 rwl rwz sr2 srf srw x3f"
)
VIDEO_SUFFIXES = _suffixes("mov mp4 m4v avi mkv webm mts m2ts 3gp 3g2 mpg mpeg wmv flv insv vob ogv asf divx")
LIVE_PHOTO_SUFFIXES = frozenset({".mov", ".mp4"})
"""A video of the same stem as a picture, next to it, is the moving part of that picture."""

_OTHER_PICTURES = _suffixes(
    "ico icns cur tga ppm pgm pbm pnm pfm exr hdr dds xcf eps ai pcx qoi jxr wdp hdp bpg flif kra pdn emf wmf"
)
_NO_PICTURES = _suffixes("txt json jsonl xmp aae thm ini db xml yaml yml csv tsv md html htm log")
"""Endings of sidecar files and notes, which nobody misses as pictures."""

RAW, VIDEO, OTHER = "raw", "video", "other"
_KINDS = {
    **dict.fromkeys(RAW_SUFFIXES, RAW),
    **dict.fromkeys(VIDEO_SUFFIXES, VIDEO),
    ".jxl": "jpeg_xl",
    **dict.fromkeys(_suffixes("jp2 j2k jpf jpx jpm j2c jpc"), "jpeg_2000"),
    **dict.fromkeys((".psd", ".psb"), "photoshop"),
    **dict.fromkeys((".svg", ".svgz"), "svg"),
    **dict.fromkeys(_OTHER_PICTURES, "other_picture"),
}


def suffix_of(name: str | PurePath) -> str:
    """Return the ending of a file name in lower case, with its dot."""
    return PurePath(name).suffix.lower()


def is_installed(package: str) -> bool:
    """Return whether a package is installed. A folder of its name in the current directory is none."""
    found = find_spec(package)
    return found is not None and found.origin is not None


@cache
def can_read_raw() -> bool:
    """Return whether the package that reads RAW files is installed."""
    return is_installed("rawpy")


@cache
def can_read_video() -> bool:
    """Return whether the package that reads videos is installed."""
    return is_installed("av")


def is_still_name(name: str | PurePath) -> bool:
    """Return whether a file with this name is read as a picture that is no video."""
    suffix = suffix_of(name)
    return suffix in PICTURE_SUFFIXES or (suffix in RAW_SUFFIXES and can_read_raw())


def is_picture_name(name: str | PurePath) -> bool:
    """Return whether a file with this name is read as a picture, with the packages that are installed."""
    return is_still_name(name) or (suffix_of(name) in VIDEO_SUFFIXES and can_read_video())


def other_kind(name: str | PurePath) -> str | None:
    """Return the kind of a file without the name of a picture; None for one that nobody takes for one."""
    suffix = suffix_of(name)
    return None if suffix in _NO_PICTURES else _KINDS.get(suffix, OTHER)
