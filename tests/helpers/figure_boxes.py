"""Where a laid-out figure's words stand: within its page, and not on each other."""

import itertools

from matplotlib.legend import Legend
from matplotlib.text import Text

SLACK = 0.5  # points by which boxes may meet


def assert_readable(figure):
    """Check a laid-out figure: nothing beyond the page, no words on descriptions."""
    assert outside(figure) == [0, 0, 0, 0]
    assert overlaps(figure) == []


def outside(figure):
    """Return by how many inches anything reaches beyond the page: left, bottom, right, top."""
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return [max(0.0, d) for d in (-box.x0, -box.y0, box.x1 - width, box.y1 - height)]


def overlaps(figure):
    """Return the pairs of titles, labels, notes and legends that stand on each other."""
    slack = SLACK * figure.dpi / 72
    boxes = [(name, box.padded(-slack)) for name, box in _boxes(figure)]
    return [
        (one, other)
        for (one, box), (other, next_box) in itertools.combinations(boxes, 2)
        if box.overlaps(next_box)
    ]


def _boxes(figure):
    parts = [figure, *figure.subfigs, *(part for sub in figure.subfigs for part in sub.subfigs)]
    legends = figure.findobj(Legend)
    texts = [text for part in parts for text in part.texts]
    for axes in figure.axes:
        texts += [axes.title, axes._left_title, axes._right_title, *axes.texts]
        if axes.axison and axes.name != "3d":
            texts += [axes.xaxis.label, axes.yaxis.label]
    for legend in legends:
        if legend.get_visible():
            yield f"legend {legend.get_texts()[0].get_text()!r}", legend.get_window_extent()
    for text in texts:
        if text is not None and text.get_visible() and text.get_text().strip():
            yield text.get_text(), Text.get_window_extent(text)
