"""Rounding of what is drawn, so that another machine's last digits make the same bytes.

The logarithm, the sums of numpy and the solver of the layout may differ by a last digit from one
processor to the next. Files that state coordinates to six or ten digits would show it. So tables
are rounded to the digits that they have as files, and all coordinates, once in units of the page,
to a coarse grid.
"""

import math

import numpy as np
import pandas as pd
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox, BboxBase, Transform

__all__ = ["RoundedFigure", "rounded_table"]

DIGITS = "{:.9g}".format  # those of `results.tables.write_csv`
# Steps of the grid in a point of the PDF or a pixel of the PNG. A power of two: multiples are exact
# and have six decimals, which the PDF states.
GRID = 64
# Where in a grid's step rounding goes up. At one half, coordinates that are simple fractions would
# lie on the edge, and noise would move them. No such fraction is near this irrational number.
UP = math.pi / 7


def rounded_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its floats rounded to nine significant digits, as they were written."""
    floats = table.select_dtypes("floating")
    return table.assign(**{name: floats[name].map(DIGITS).astype(float) for name in floats})


def on_grid(places: np.ndarray) -> np.ndarray:
    """Return coordinates, in points or pixels, rounded to 1/64; NaN and infinity stay."""
    return np.floor(np.asarray(places, dtype=float) * GRID + UP) / GRID


class RoundedFigure(Figure):
    """A figure whose coordinates are rounded as they are drawn, whatever the format."""

    def draw(self, renderer: object) -> None:
        """Draw all that is in the figure with rounded coordinates.

        Before `savefig` draws, it has the figure laid out by a drawing that nobody sees, a third of
        its time: here it is laid out alone.
        """
        engine = self.get_layout_engine()
        if engine is not None and self._is_saving() and _draws_nothing(renderer):
            engine.execute(self)
        else:
            super().draw(_Rounding(renderer))

    def _is_saving(self) -> bool:
        return self.canvas is not None and self.canvas.is_saving()


class _Rounding:
    """A renderer that rounds coordinates and hands all else on to another one."""

    def __init__(self, renderer: object):
        self.__dict__["_inner"] = renderer
        # The same object for the same rectangle: the PDF repeats one that it does not recognise.
        self.__dict__["_rectangles"] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._inner, name, value)

    def draw_path(
        self, gc: GraphicsContextBase, path: Path, transform: Transform, *face: object
    ) -> None:
        self._inner.draw_path(self._clipped(gc), _placed(path, transform), _AS_IT_IS, *face)

    def draw_markers(
        self,
        gc: GraphicsContextBase,
        marker_path: Path,
        marker_trans: Transform,
        path: Path,
        trans: Transform,
        *face: object,
    ) -> None:
        places = _placed(path, trans)
        self._inner.draw_markers(
            self._clipped(gc), marker_path, marker_trans, places, _AS_IT_IS, *face
        )

    def draw_path_collection(
        self,
        gc: GraphicsContextBase,
        master_transform: Transform,
        paths: object,
        all_transforms: object,
        offsets: np.ndarray,
        offset_trans: Transform,
        *more: object,
        **named: object,
    ) -> None:
        # Paths that have places of their own, such as bands, are drawn around the origin.
        offset = on_grid(offset_trans.transform(offsets)) if len(offsets) else offsets
        if not len(all_transforms):
            paths, master_transform = [_placed(p, master_transform) for p in paths], _AS_IT_IS
        self._inner.draw_path_collection(
            *(self._clipped(gc), master_transform, paths, all_transforms, offset, _AS_IT_IS),
            *more,
            **named,
        )

    def draw_image(
        self, gc: GraphicsContextBase, x: float, y: float, im: np.ndarray, *more: object
    ) -> None:
        x, y = on_grid(np.array([x, y]))
        self._inner.draw_image(self._clipped(gc), x, y, im, *more)

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, *more: object, **named: object
    ) -> None:
        x, y = on_grid(np.array([x, y]))
        self._inner.draw_text(self._clipped(gc), float(x), float(y), *more, **named)

    def _clipped(self, gc: GraphicsContextBase) -> GraphicsContextBase:
        """Return `gc` with its rectangle of clipping rounded."""
        rectangle: BboxBase | None = gc.get_clip_rectangle()
        if rectangle is not None:
            corners = on_grid(rectangle.get_points())
            known = self._rectangles.setdefault(corners.tobytes(), Bbox(corners))
            gc.set_clip_rectangle(known)
        return gc


def _draws_nothing(renderer: object) -> bool:
    """Return whether a renderer's methods have been replaced by some that do nothing."""
    method = getattr(renderer, "draw_path", None)
    return getattr(method, "__wrapped__", None) is RendererBase.draw_path


_AS_IT_IS = Affine2D()


def _placed(path: Path, transform: Transform) -> Path:
    """Return the path where it is drawn, rounded."""
    placed = path.transformed(transform)
    rounded = Path(on_grid(placed.vertices), placed.codes, placed._interpolation_steps)
    rounded.should_simplify = path.should_simplify
    rounded.simplify_threshold = path.simplify_threshold
    return rounded
