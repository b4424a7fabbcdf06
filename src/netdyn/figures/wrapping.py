"""Texts of a given width in points, by the font's own widths: the same lines on every machine."""

from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath, text_to_path

__all__ = ["balanced", "ink_centre", "text_width", "wrapped"]

FONT = "DejaVu Sans"


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Return the width in points of one line of text."""
    font = FontProperties(family=FONT, size=size, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, False)[0]


@lru_cache(maxsize=64)
def ink_centre(sign: str, size: float, weight: str = "normal") -> tuple[float, float]:
    """Return the centre of what a sign blackens, in points right of and above its origin.

    Signs are set by it: the boxes of characters leave room for letters that descend.
    """
    font = FontProperties(family=FONT, size=size, weight=weight)
    box = TextPath((0, 0), sign, prop=font).get_extents()
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2


def wrapped(text: str, width: float, size: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text, no longer than `width` points unless one word is.

    Lines end at spaces, not at no-break spaces.
    """
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def balanced(text: str, most: int, size: float, weight: str = "normal") -> list[str]:
    """Return the lines of a text, at most `most` and about equally long."""
    words = text.split(" ")
    # The width of a line is that of some words in a row.
    spans = [" ".join(words[a:b]) for a in range(len(words)) for b in range(a + 1, len(words) + 1)]
    for width in sorted({text_width(span, size, weight) for span in spans}):
        lines = wrapped(text, width, size, weight)
        if len(lines) <= most and all(text_width(li, size, weight) <= width for li in lines):
            return lines
    return wrapped(text, text_width(text, size, weight), size, weight)
