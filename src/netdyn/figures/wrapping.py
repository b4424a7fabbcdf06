"""Texts of a given width in points, by the font's own widths: the same lines on every machine."""

from functools import lru_cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath, text_to_path

from netdyn.figures.pages import panel_width

__all__ = ["balanced", "break_words", "ink_centre", "text_width", "wrapped"]

FONT = "DejaVu Sans"
AROUND = (46.0, 40.0)  # points beside axes and above or below them: numbers and labels


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


def break_words(figure: Figure) -> None:
    """Break the titles and labels of all panels where they are longer than their panel."""
    for axes in figure.axes:
        place = axes.get_subplotspec()
        if place is None or not axes.axison or axes.images:  # images are wider than they look
            continue
        grid, part = place.get_gridspec(), axes.get_figure(root=False)
        points = 72 / figure.dpi
        width = 72 * panel_width(axes) - AROUND[0]
        ratios = grid.get_height_ratios()
        share = sum(ratios[row] for row in place.rowspan) / sum(ratios)
        height = points * part.bbox.height * share - AROUND[1]
        texts = (axes._left_title, width), (axes.xaxis.label, width), (axes.yaxis.label, height)
        for text, room in texts:
            lines = text.get_text().split("\n")
            broken = [new for line in lines for new in _broken(line, room, text.get_fontsize())]
            text.set_text("\n".join(broken))


def _broken(line: str, width: float, size: float) -> list[str]:
    """Return `wrapped`, where words may hold formulas."""
    # Two spaces stay behind a panel's letter; numbers stay with their signs.
    kept = line.replace("  ", " \0")
    for sign in (" %", " = "):
        kept = kept.replace(sign, sign.replace(" ", "\N{NO-BREAK SPACE}"))
    words = kept.split(" ")
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]} {word}" if lines else word
        drawn = longer.replace("\0", " ")
        font = FontProperties(family=FONT, size=size)
        length = text_to_path.get_text_width_height_descent(drawn, font, "$" in drawn)[0]
        if lines and length <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [
        text.replace("\0", " ").rstrip() if i == 0 else text.replace("\0", "")
        for i, text in enumerate(lines)
    ]
