"""A monitor's rows as scalars of TensorBoard; needs `pip install "netdyn[tensorboard]"`."""

from pathlib import Path

import pandas as pd

from netdyn.errors import NetdynError

__all__ = ["Writer", "scalar_name"]


class Writer:
    """Writes what a `netdyn.Monitor` measures for TensorBoard: `Monitor(…, writer=Writer(folder))`.

    Scalars are named by quantity, and by site where there are several: `rpd_gradient/site_2`.

    Args:
        folder: of the event files, or a `torch.utils.tensorboard.SummaryWriter` of one's own.

    Raises:
        NetdynError: where TensorBoard is not installed.
    """

    def __init__(self, folder: object):
        self._writer = _summary_writer(folder) if isinstance(folder, str | Path) else folder

    def __call__(self, rows: pd.DataFrame) -> None:
        """Write rows of a monitor's table; it may be called with all of it."""
        for row in rows.itertuples(index=False):
            self._writer.add_scalar(scalar_name(row.quantity, row.site), row.value, row.step)
        self._writer.flush()

    def close(self) -> None:
        """End the event file."""
        self._writer.close()


def scalar_name(quantity: str, site: int) -> str:
    """Return the name of a scalar in a logger."""
    return f"{quantity}/site_{site}" if site else quantity


def _summary_writer(folder: str | Path) -> object:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise NetdynError(
            'TensorBoard is not installed: pip install "netdyn[tensorboard]"'
        ) from error
    return SummaryWriter(str(folder))
