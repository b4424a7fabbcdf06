"""Sizes of pages for print and for slides, and reproducible positions of panels."""

from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

__all__ = ["LAYOUTS", "LONGEST", "SLIDE", "SteadyLayout"]

# Width in inches: a journal's two columns, one of them (85 mm), and a slide of 16:9, which is shown
# twice as large.
LAYOUTS = {"double": 7.0, "single": 85 / 25.4, "slide": 7.0}
LONGEST = 240 / 25.4  # inches of a printed page
SLIDE = 3.94  # inches


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
