"""A monitor as a callback of Lightning; needs `pip install "netdyn[lightning]"`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from torch import Tensor, nn

from netdyn.analysis.monitor import Monitor
from netdyn.analysis.tensorboard import scalar_name
from netdyn.errors import NetdynError

try:
    from lightning.pytorch.callbacks import Callback
except ImportError:
    Callback = None

__all__ = ["MonitorCallback"]


class MonitorCallback(Callback or object):
    """Measures the network of a `LightningModule` while a Trainer trains it.

    What is measured goes to the Trainer's logger, too, and into its checkpoints, from which a
    training that is resumed goes on.

    Args:
        x, y: training samples and labels that are measured; they are moved to the module's device.
        network: returns what `netdyn.Monitor` takes of the module, such as `lambda m: m.net`; None
            for the module itself.
        options: further arguments of `netdyn.Monitor`: `test`, `share`, `quantities`, ….

    Attributes:
        monitor: the `netdyn.Monitor`; None before training starts.

    Raises:
        NetdynError: where Lightning is not installed; at the start of training as `Monitor` does.
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        network: Callable[[nn.Module], object] | None = None,
        **options: object,
    ):
        if Callback is None:
            raise NetdynError('Lightning is not installed: pip install "netdyn[lightning]"')
        super().__init__()
        self.monitor: Monitor | None = None
        self._samples, self._network, self._options = (x, y), network, options
        self._state: Mapping[str, str] | None = None
        self._step = -1

    @property
    def table(self) -> pd.DataFrame:
        """What was measured, as `Monitor.table`."""
        if self.monitor is None:
            raise NetdynError("nothing was measured: the training has not started")
        return self.monitor.table

    def save(self, path: str | Path) -> None:
        """Write what was measured, as `Monitor.save` does."""
        if self.monitor is None:
            raise NetdynError("nothing was measured: the training has not started")
        self.monitor.save(path)

    def on_train_start(self, trainer: object, pl_module: nn.Module) -> None:
        """Read the network, which is on its device by now."""
        network = pl_module if self._network is None else self._network(pl_module)
        x, y = (part.to(pl_module.device) for part in self._samples)
        options = dict(self._options)
        if options.get("test") is not None:
            options["test"] = tuple(part.to(pl_module.device) for part in options["test"])
        logger = trainer.logger
        if logger is not None:
            options.setdefault("writer", lambda rows: _log(logger, rows))
        self.monitor = Monitor(network, x, y, **options)
        if self._state is not None:
            self.monitor.load_state_dict(self._state)

    def on_train_batch_end(self, trainer: object, *_: object) -> None:
        """Count the optimizer's steps; a batch whose gradients are only accumulated is none."""
        if trainer.global_step != self._step:
            self._step = trainer.global_step
            self.monitor(self._step)

    def on_train_end(self, *_: object) -> None:
        """Measure the trained network."""
        self.monitor.measure()

    def state_dict(self) -> dict[str, str]:
        """Return what a checkpoint keeps."""
        return {} if self.monitor is None else self.monitor.state_dict()

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Keep a checkpoint's state for the start of training."""
        self._state = state or None


def _log(logger: object, rows: pd.DataFrame) -> None:
    metrics = {
        scalar_name(row.quantity, row.site): row.value for row in rows.itertuples(index=False)
    }
    logger.log_metrics(metrics, step=int(rows["step"].iloc[0]))
