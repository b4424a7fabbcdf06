"""Where panels stand, to the last bit."""

from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import Bbox

__all__ = ["SteadyLayout"]


class SteadyLayout(ConstrainedLayoutEngine):
    """Constrained layout to a millionth of the figure, so that equal content is an equal file.

    The solver's order follows memory addresses, and its last digits that order.
    """

    def execute(self, figure: Figure) -> None:
        super().execute(figure)
        for part in figure.findobj(SubFigure):
            part.bbox_relative.set_points(part.bbox_relative.get_points().round(6))
        for axes in figure.axes:
            in_layout = axes.get_in_layout()
            place = axes.get_position(original=True)
            axes.set_position(Bbox(place.get_points().round(6)), which="original")
            axes.set_in_layout(in_layout)  # positions set by hand end it
