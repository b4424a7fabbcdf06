"""Sizes of pages for print and for slides, and reproducible positions of panels."""

from collections.abc import Mapping

from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

from netdyn.errors import NetdynError

__all__ = ["LAYOUTS", "SteadyLayout", "layout_of"]

# Width in inches: a journal's two columns, one of them (85 mm), and a slide of 16:9, which is shown
# twice as large.
LAYOUTS = {"double": 7.0, "single": 85 / 25.4, "slide": 7.0}


def layout_of(settings: Mapping, heights: Mapping[str, float]) -> str:
    """Return the layout that a figure is drawn in, "double" unless given.

    Args:
        settings: the figure's; `layout`, optional.
        heights: by layout that the figure has, inches.

    Raises:
        NetdynError: the figure has no such layout.
    """
    layout = settings.get("layout", "double")
    if layout not in heights:
        raise NetdynError(
            f"layout: this figure has no {layout!r}: choose one of {', '.join(heights)}"
        )
    return layout


class SteadyLayout(ConstrainedLayoutEngine):
    """Constrained layout, rounded to a millionth of the figure: equal content is an equal file.

    The solver's order depends on memory addresses, and its last digits depend on that order.
    """

    def execute(self, figure: Figure) -> None:
        """Lay the figure out and round the positions of its subfigures and axes."""
        super().execute(figure)
        for part in figure.findobj(SubFigure):
            part.bbox_relative.set_points(part.bbox_relative.get_points().round(6))
        for axes in figure.axes:
            in_layout = axes.get_in_layout()
            place = axes.get_position(original=True)
            axes.set_position(Bbox(place.get_points().round(6)), which="original")
            axes.set_in_layout(in_layout)  # set_position takes axes out of it
