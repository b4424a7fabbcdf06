"""`netdyn.Monitor`: a training is measured as it goes, within a share of its time."""

import logging
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from operator import attrgetter
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from netdyn.analysis.budget import Budget
from netdyn.analysis.course_file import (
    Course,
    Row,
    as_text,
    course_table,
    from_text,
    read_course,
    write_course,
)
from netdyn.analysis.grokking_watch import GrokkingWatch
from netdyn.analysis.measuring import Analysis
from netdyn.analysis.monitored import DEFAULT, QUANTITIES, Snapshot, checked_quantities
from netdyn.analysis.reading import read
from netdyn.analysis.samples import Samples
from netdyn.errors import NetdynError
from netdyn.measures.grokking import Grokking
from netdyn.networks.architecture import Architecture
from netdyn.networks.inputs import as_tensor, as_whole
from netdyn.networks.integer_samples import as_samples_or_tokens
from netdyn.runtime.plain_mode import plain_mode
from netdyn.runtime.random_state import random_state_kept

__all__ = ["Monitor"]

EXAMPLES = 10  # samples by which a network is traced
REMEDY = "make a new netdyn.Monitor"
logger = logging.getLogger("netdyn.monitor")


class Monitor:
    """Measures a network in training, at a bounded cost, and changes no bit of that training.

    It is called once a step, behind the optimizer's: `monitor()`. The first call measures; later
    ones do whenever `share` of the time that training took pays for it, so that measuring takes at
    most that share. Weights, gradients, modes, running statistics and random states are left as
    they are.

    Args:
        model: the network, or what `netdyn.read` returned for it, such as with
            `not_affine="freeze"`.
        x, y: training samples (P, …) and labels (P,) that are measured, all of them each time:
            some hundred to a thousand give a fine course.
        test: (x, y) of test samples, of which accuracy and loss are measured.
        share: of the training's time, above 0; `math.inf` measures at every call.
        quantities: among `accuracy` and `loss` (cross-entropy), of training samples in training
            mode but for dropout, which is off, and of test samples in evaluation mode;
            `rpd_gradient`, g of each site, the mean over classes; `pruning`, the accuracy pruned
            from each site on; `sign_agreement` of L-maps and Jacobians; `sample_basin` and
            `weight_basin`, their sizes: all of training samples in evaluation mode.
        errors: whether g has standard errors, which take some twenty times as long.
        value_range: (low, high) of the samples' values, for `sample_basin`.
        trials: draws of the noise of basins, by `seed`.
        seed: of the noise.
        writer: called with the new rows, a table, after each measurement, such as
            `netdyn.analysis.tensorboard.Writer`.

    Raises:
        NetdynError: for a network that is not read, samples or labels that do not fit, another
            share, and unknown quantities.
    """

    def __init__(
        self,
        model: nn.Module | Analysis,
        x: Tensor,
        y: Tensor,
        test: tuple[Tensor, Tensor] | None = None,
        share: float = 0.1,
        quantities: Sequence[str] = DEFAULT,
        *,
        errors: bool = False,
        value_range: tuple[float, float] = (0.0, 1.0),
        trials: int = 5,
        seed: int = 0,
        writer: Callable[[pd.DataFrame], object] | None = None,
    ):
        self._budget = Budget(_checked_share(share))
        # Reading costs, too, and is paid for as a measurement is.
        with self._budget.spending(is_typical=False), random_state_kept():
            self._quantities = checked_quantities(quantities)
            self._network = _read(model, x)
            self._samples = {"train": _samples(self._network, "training", x, y)}
            if test is not None:
                self._samples["test"] = _samples(self._network, "test", *_pair(test))
            self._architecture = Architecture(self._network.model)
        self._errors, self._writer = errors, writer
        self._basins = {"value_range": value_range, "trials": trials, "seed": seed}
        self._rows: list[Row] = []
        self._step, self._has_diverged = 0, False
        self._complete: int | None = None  # the last step of which all was measured
        self._watch = GrokkingWatch()

    def __call__(self, step: int | None = None) -> bool:
        """Count a step, and measure if that is due.

        Args:
            step: how many steps the optimizer has made; None for one more than at the last call.

        Returns:
            Whether the network was measured.

        Raises:
            NetdynError: where the architecture has changed, or for a step before the last one.
        """
        self._count(self._step + 1 if step is None else step)
        self._budget.train_until_now()
        if self._complete is not None and not self._budget.is_due:
            return False
        self._measure()
        return True

    def measure(self) -> None:
        """Measure now, whatever it costs, unless this step was measured: the end of a training."""
        if self._complete != self._step:
            self._budget.train_until_now()
            self._measure()

    @property
    def table(self) -> pd.DataFrame:
        """What was measured so far.

        Columns `step` (of the optimizer), `quantity` (`train_accuracy`, `test_accuracy`,
        `train_loss`, `test_loss`, `rpd_gradient`, `pruning`, …), `site` (1 … S; 0 for what is of
        the whole network; of pruning also S + 1, where nothing is pruned), `value` and its standard
        `error` over samples, NaN where there is none.
        """
        return course_table(self._rows)

    @property
    def grokking(self) -> Grokking:
        """Whether the training groks, by the accuracies measured so far, as claims are judged.

        `grade` is None until the training accuracy reaches 80 %, at step `memorised`. From then on
        it is "none" where the test accuracy was at least 50 % there, and "partly" otherwise, which
        becomes "grokking" as soon as the test accuracy, at most 20 % there, reaches 50 %, at step
        `generalised`; a line of the logger `netdyn.monitor` (WARNING) says so. The thresholds are
        meant for ten classes.
        """
        return self._watch.grokking

    @property
    def seconds(self) -> tuple[float, float]:
        """The time of training and of measuring so far."""
        return self._budget.trained, self._budget.spent

    def save(self, path: str | Path) -> None:
        """Write the table and what going on needs, as text; `pandas.read_csv(path, comment="#")`.

        Raises:
            NetdynError: where it cannot be written; an earlier file is then as it was.
        """
        write_course(Path(path), self._course())

    def page(self, path: str | Path, title: str = "A monitored training") -> None:
        """Write one HTML page on which the course so far is scrubbed; see docs/explorer.md.

        Raises:
            NetdynError: accuracy was not measured, or plotly and matplotlib are not installed
                (extra `explorer`).
        """
        try:
            from netdyn.explorer.courses import course_sources
            from netdyn.explorer.explorer import write_page_of
        except ModuleNotFoundError as error:
            raise NetdynError(
                f"pages need {error.name}, which is not installed: pip install 'netdyn[explorer]'"
            ) from error
        write_page_of(Path(path), course_sources("training", self.table), title=title)

    def load(self, path: str | Path) -> None:
        """Go on from what `save` wrote of a monitor of the same network.

        Raises:
            NetdynError: for anything else, which is not opened where it could run code.
        """
        self._resume(read_course(Path(path)), str(path))

    def state_dict(self) -> dict[str, str]:
        """Return what `save` writes, to be kept in a checkpoint."""
        return {"course": as_text(self._course())}

    def load_state_dict(self, state: Mapping[str, str]) -> None:
        """Go on from what `state_dict` returned."""
        self._resume(from_text(state["course"], "the state"), "the state")

    def _count(self, step: int) -> None:
        step = as_whole(step, "step")
        if step < self._step:
            raise NetdynError(
                f"step {step} after step {self._step}: steps only go up; for another training "
                f"{REMEDY}"
            )
        self._step = step

    @plain_mode
    def _measure(self) -> None:
        device = self._network.device
        if device.type != "cpu":
            # What the device has yet to do is training.
            torch.accelerator.synchronize(device)
            self._budget.train_until_now()
        with ExitStack() as context:
            context.enter_context(self._budget.spending())
            context.enter_context(random_state_kept())
            self._architecture.refuse_changes(REMEDY)
            # Where rows of this step begin that an interruption has left.
            again = bisect_left(self._rows, self._step, key=attrgetter("step"))
            first = len(self._rows)
            snapshot = Snapshot(self._network, self._samples, self._errors, self._basins)
            # Row by row, so that an interruption leaves what was measured before it.
            for quantity in self._measurable(snapshot):
                for value in QUANTITIES[quantity](snapshot):
                    self._add(Row(self._step, *value))
                if quantity == "accuracy" and (sentence := self._watch.judge()):
                    logger.warning(sentence)
            del self._rows[again:first]
            self._complete = self._step
            if self._writer is not None and len(self._rows) > again:
                self._writer(course_table(self._rows[again:]))

    def _measurable(self, snapshot: Snapshot) -> tuple[str, ...]:
        if snapshot.is_finite:
            return self._quantities
        if not self._has_diverged:
            logger.warning(
                "the training has diverged: logits at step %d are not finite", self._step
            )
        self._has_diverged = True
        return tuple(name for name in self._quantities if name in ("accuracy", "loss"))

    def _add(self, row: Row) -> None:
        self._rows.append(row)
        self._watch.add(row)

    def _course(self) -> Course:
        header = {
            "sites": [[site.name, site.function, list(site.shape)] for site in self._network.sites],
            "step": self._step,
            "trained": self._budget.trained,
            "spent": self._budget.spent,
            "expected": self._budget.expected,
        }
        return Course(header, self._rows)

    def _resume(self, course: Course, name: str) -> None:
        header, own = course.header, self._course().header
        if header.get("sites") != own["sites"]:
            raise NetdynError(
                f"{name} is the course of a network with other sites: load it into the monitor of "
                "the network that it is of"
            )
        times = [header.get(key) for key in ("trained", "spent", "expected")]
        if not all(isinstance(value, int | float) for value in (header.get("step"), *times)):
            raise NetdynError(f"{name} is damaged (times are missing): restore it from a copy")
        self._rows, self._watch = [], GrokkingWatch()
        for row in course.rows:
            self._add(row)
        self._watch.judge()
        self._step = header["step"]
        self._complete = self._rows[-1].step if self._rows else None
        self._budget.resume(*times)


def _checked_share(share: object) -> float:
    try:
        value = float(share)
    except (TypeError, ValueError):
        value = 0.0
    if not value > 0:
        raise NetdynError(f"share {share!r}: give a number above 0, such as 0.1 for a tenth")
    return value


def _read(model: object, x: object) -> Analysis:
    if isinstance(x, DataLoader):
        raise NetdynError(
            "samples are a DataLoader, whose order is random: give tensors, such as one batch of it"
        )
    samples = as_samples_or_tokens(x)  # or an error that names what they are
    if isinstance(model, Analysis):
        return read(model)
    return read(model, samples[:EXAMPLES] if samples.ndim else samples)


def _pair(test: object) -> tuple:
    if isinstance(test, tuple | list) and len(test) == 2:
        return tuple(test)
    raise NetdynError(f"test is a {type(test).__name__}: give test=(x, y), samples and labels")


def _samples(network: Analysis, name: str, x: object, y: object) -> tuple[Tensor, Tensor]:
    try:
        return Samples(network.network, x, as_tensor(y, "labels")).all()
    except NetdynError as error:
        raise NetdynError(f"{name} samples: {error}") from error
