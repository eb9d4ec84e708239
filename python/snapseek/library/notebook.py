"""How pictures and libraries look in a notebook: HTML with inline styles.

Every field of a picture comes from untrusted files, and a notebook runs the HTML that it gets. So all texts
are escaped, colors are checked, and only web addresses become links.
"""

import html
import re
from collections.abc import Iterable, Sequence

ROW_HEIGHT_PX = 120
_MAX_ROW_WIDTH_PX = 1200
_MIN_CAPTION_WIDTH_PX = 96
_MAX_NAME_CHARACTERS = 200
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_GREY = "#808080"
_FRAME = "1px solid rgba(128,128,128,.4)"
_ONE_LINE = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap"


def picture(preview_url: str, title: str, color: object, width: object, height: object) -> str:
    """Return a preview in the height of a row, with its name as the tooltip."""
    text = escaped(title)
    shown = color if isinstance(color, str) and _COLOR.fullmatch(color) else _GREY
    return (
        f'<img src="{preview_url}" title="{text}" alt="{text}" width="{row_width_px(width, height)}" '
        f'height="{ROW_HEIGHT_PX}" style="margin:2px;border-radius:4px;background:{shown}">'
    )


def captioned(image: str, name: str, below: str, link: str, width_px: int) -> str:
    """Return a picture with its name and a line below it; a web address makes the picture a link."""
    if link.startswith(("https://", "http://")):
        image = f'<a href="{escaped(link)}" target="_blank" rel="noopener noreferrer">{image}</a>'
    return (
        f'<figure style="margin:0;width:{max(width_px + 6, _MIN_CAPTION_WIDTH_PX)}px">'
        f'<div style="display:inline-block;border:{_FRAME};border-radius:6px;line-height:0">{image}</div>'
        f'<figcaption style="font-size:12px;line-height:1.3">'
        f'<div style="{_ONE_LINE}" title="{escaped(name)}">{escaped(name)}</div>'
        f'<div style="opacity:.7;{_ONE_LINE}">{escaped(below)}</div></figcaption></figure>'
    )


def row(figures: Iterable[str], heading: str) -> str:
    """Return a heading and pictures in rows."""
    return (
        f'<div><div style="font-size:12px;opacity:.7;margin:2px 0">{escaped(heading)}</div>'
        f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(figures)}</div></div>'
    )


def facts(title: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return a title and a list of facts."""
    lines = "".join(
        f'<tr><td style="text-align:left;opacity:.7">{escaped(name)}</td>'
        f'<td style="text-align:left">{escaped(value)}</td></tr>'
        for name, value in pairs
    )
    return f"<div><b>{escaped(title)}</b><table>{lines}</table></div>"


def row_width_px(width: object, height: object) -> int:
    """Return the width of a picture in the height of a row; that of a square for impossible sizes."""
    if not (isinstance(width, int) and isinstance(height, int)) or width <= 0 or height <= 0:
        return ROW_HEIGHT_PX
    return min(_MAX_ROW_WIDTH_PX, max(1, round(ROW_HEIGHT_PX * width / height)))


def escaped(text: str) -> str:
    """Return a text for HTML, cut to a bounded length; it cannot end an attribute or a tag."""
    shown = text if len(text) <= _MAX_NAME_CHARACTERS else f"{text[:_MAX_NAME_CHARACTERS]}…"
    return html.escape(shown, quote=True)
