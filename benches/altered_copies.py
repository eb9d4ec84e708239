"""Changes that copies of a picture go through: other sizes and formats, crops, light, a watermark."""

import io
from collections.abc import Callable, Mapping

from PIL import Image, ImageDraw, ImageEnhance

Change = Callable[[Image.Image], Image.Image]


def _resized(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _encoded(image: Image.Image, kind: str, quality: int) -> Image.Image:
    target = io.BytesIO()
    image.save(target, kind, quality=quality)
    return Image.open(target).convert("RGB")


def _cropped(image: Image.Image, share: float) -> Image.Image:
    """Cut off a share of the width on the left, and of the height on the bottom."""
    return image.crop((round(image.width * share), 0, image.width, round(image.height * (1 - share))))


def _watermarked(image: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    size = max(12, image.height // 8)
    draw.text((image.width // 8, image.height - 2 * size), "copyright", (255, 255, 255, 170), font_size=size)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


CHANGES: Mapping[str, Change] = {
    "half": lambda image: _resized(image, max(image.size) // 2),
    "small": lambda image: _resized(image, 160),
    "jpeg": lambda image: _encoded(image, "JPEG", 35),
    "webp": lambda image: _encoded(image, "WEBP", 60),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.25),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "colour": lambda image: ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(1.15)).enhance(1.3),
    "crop": lambda image: _cropped(image, 0.06),
    "watermark": _watermarked,
    "grey": lambda image: image.convert("L").convert("RGB"),
}
