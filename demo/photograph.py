"""One photograph made ready for the demo: small, upright, sRGB, on white, without metadata."""

import io

from PIL import Image, ImageCms, ImageOps

LONG_SIDE = 420
QUALITY = 80


def demo_jpeg(source: bytes) -> bytes:
    """`source` (any kind that Pillow opens) as a JPEG whose long side is at most LONG_SIDE pixels."""
    with Image.open(io.BytesIO(source)) as opened:
        opened.draft("RGB", (2 * LONG_SIDE, 2 * LONG_SIDE))
        picture = on_white(to_srgb(ImageOps.exif_transpose(opened)))
    picture.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
    return as_jpeg(picture)


def to_srgb(picture: Image.Image) -> Image.Image:
    """The same picture with its colours converted to sRGB, when it carries another RGB profile."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode != "RGB":
        return picture
    srgb = ImageCms.createProfile("sRGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB") or picture


def on_white(picture: Image.Image) -> Image.Image:
    """The picture in RGB; what is transparent becomes white."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(paper, layer).convert("RGB")


def as_jpeg(picture: Image.Image) -> bytes:
    """Progressive JPEG of QUALITY, without metadata."""
    picture.info.clear()
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return target.getvalue()
