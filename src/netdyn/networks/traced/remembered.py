"""Products of earlier passes of the same samples, which later passes need not compute again.

A network pruned from site s is the network itself up to there: its layers before site s have the
outputs that they had in the pass before, bit for bit. Products with weights take nearly all of the
time, so it is their outputs that are kept; all else runs again.
"""

from collections.abc import Callable

from torch import Tensor

__all__ = ["Products"]

HELD = 2**30  # bytes of outputs that are kept


class Products:
    """Outputs of the products of passes of one batch, in their order.

    A pass starts by `start`, and hands every product to `output`. What it changes must come after
    what is kept: `stop` says from where on.
    """

    def __init__(self, held: int = HELD):
        """Args: most bytes that are kept."""
        self._kept: list[tuple[Tensor, int] | None] = []
        self._place, self._left, self._is_same = 0, held, True

    def start(self) -> None:
        """Begin a pass, whose products are those of the passes before until it says `stop`."""
        self._place, self._is_same = 0, True

    def stop(self) -> None:
        """Compute the pass's further products anew, and keep none of them."""
        self._is_same = False

    def output(self, function: Callable, args: tuple, kwargs: dict) -> object:
        """Return what the function returns, from an earlier pass if it is known."""
        if not self._is_same:
            return function(*args, **kwargs)
        place, self._place = self._place, self._place + 1
        if place < len(self._kept):
            kept = self._kept[place]
            if kept is not None and kept[0]._version == kept[1]:
                return kept[0]
            self._kept[place] = None  # something wrote to it: it will again
            return function(*args, **kwargs)
        output = function(*args, **kwargs)
        kept = None
        if type(output) is Tensor and output.nbytes <= self._left:
            self._left -= output.nbytes
            kept = output, output._version
        self._kept.append(kept)
        return output
