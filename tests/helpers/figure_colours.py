"""What a drawn figure's lines, markers and words look like: their colours and their legends."""

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.lines import Line2D
from matplotlib.text import Text

BACKGROUND = ("_best accuracy",)  # wide, light bands behind panels
NO_MARKER = ("None", "none", " ", "", None)


def marks(figure):
    """Yield name, colour and opacity of all lines and markers."""
    for line in figure.findobj(Line2D):
        if not line.get_visible() or line.get_label() in BACKGROUND or not len(line.get_xdata()):
            continue
        name, alpha = line.get_label(), 1.0 if line.get_alpha() is None else line.get_alpha()
        if line.get_linestyle() not in NO_MARKER and line.get_linewidth():
            yield f"line {name}", line.get_color(), alpha
        if line.get_marker() not in NO_MARKER:
            face, edge = line.get_markerfacecolor(), line.get_markeredgecolor()
            if to_hex(face) != "#ffffff":
                yield f"marker {name}", face, alpha
            elif line.get_markeredgewidth():
                yield f"marker {name}", edge, alpha
    for points in figure.findobj(PathCollection):
        for colour in np.unique(points.get_facecolor(), axis=0):
            yield f"points {points.get_label()}", colour, 1.0  # its opacity is the colour's


def words(figure):
    """Yield text and colour of all words."""
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), to_rgba(text.get_color(), text.get_alpha())


def look(line):
    """Return what tells a line from others: colour, dashes, marker and whether that is filled."""
    marker = None if line.get_marker() in NO_MARKER else line.get_marker()
    filled = marker and to_hex(line.get_markerfacecolor()) != "#ffffff"
    lined = line.get_linestyle() not in NO_MARKER
    colour = to_hex(line.get_color())
    return colour, line.get_linestyle() if lined else None, marker, filled


def entries(figure):
    """Yield text and handle of all entries of legends that are lines or markers."""
    for part in figure.findobj(lambda artist: hasattr(artist, "legend_handles")):
        for text, handle in zip(part.get_texts(), part.legend_handles, strict=True):
            if isinstance(handle, Line2D):
                yield text.get_text(), handle
