"""How long the rest of a scale takes, by what its trainings and measurements have taken so far."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from scipy.optimize import nnls

from netdyn.plan.snapshots import CLASSES, INPUTS, evaluated_steps
from netdyn.records.run_settings import RunSettings

__all__ = ["TimeLeft", "training_work"]

# Seconds per multiplication, per value of a field and per step, by kind of device: of an H200 and
# of one core. Their ratios count until the trainings differ enough to fit them.
TYPICAL = {"cuda": (8e-15, 6e-12, 2e-4), "cpu": (3e-11, 3e-10, 3e-5)}
# Weight of the typical ratios against a relative error of 1 in one training.
TRUST = 0.1
TEST_SAMPLES = 10_000


def training_work(settings: RunSettings) -> tuple[float, float, float]:
    """Return multiplications, values of fields, and steps of a training, evaluations included."""
    widths = [INPUTS, *settings["width"], CLASSES]
    samples = settings["samples"]
    batch = samples if settings["batch_size"] == "full" else settings["batch_size"]
    # A step passes forward, backward to the fields and backward to the weights; an evaluation
    # passes forward in both modes.
    passed = 3.0 * batch * settings["steps"]
    passed += 2.0 * (samples + TEST_SAMPLES) * len(evaluated_steps(settings))
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    return passed * weights, passed * sum(widths), float(settings["steps"])


class TimeLeft:
    """Estimates of the seconds that jobs take.

    A training takes a·multiplications + b·values + c·steps, a table the mean of its measurements.
    The coefficients are not negative and minimise the squared relative errors of the trainings so
    far, with the ratios of `TYPICAL` as a weak prior.
    """

    def __init__(self, device: str):
        """Args: the kind of device, "cpu", "cuda" or "mps"."""
        self._typical = np.array(TYPICAL["cpu" if device == "cpu" else "cuda"])
        self._work: list[tuple[float, float, float]] = []
        self._seconds: list[float] = []
        self._measured: dict[str, list[float]] = defaultdict(list)

    def trained(self, settings: RunSettings, seconds: float) -> None:
        """Record a training."""
        self._work.append(training_work(settings))
        self._seconds.append(max(seconds, 1e-3))

    def measured(self, table: str, seconds: float) -> None:
        """Record a measurement of a table on one run."""
        self._measured[table].append(seconds)

    def estimate(self, to_train: Iterable[Mapping], to_measure: Mapping[str, int]) -> float | None:
        """Return the seconds that are left, or None as long as nothing has been trained.

        Args:
            to_train: settings of the runs to be trained.
            to_measure: of each table, on how many runs it is to be measured.
        """
        work = [training_work(settings) for settings in to_train]
        if work and not self._work:
            return None
        training = float((np.array(work) @ self._coefficients()).sum()) if work else 0.0
        every = [seconds for some in self._measured.values() for seconds in some]
        mean = sum(every) / len(every) if every else 0.0
        means = {name: sum(some) / len(some) for name, some in self._measured.items()}
        return training + sum(n * means.get(name, mean) for name, n in to_measure.items())

    def _coefficients(self) -> np.ndarray:
        work, seconds = np.array(self._work), np.array(self._seconds)
        # In units of the typical coefficients, scaled to the total: all 1 where these are right.
        unit = self._typical * seconds.sum() / (work @ self._typical).sum()
        relative = work * unit / seconds[:, None]
        prior = TRUST * np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
        target = np.concatenate([np.ones(len(seconds)), np.zeros(len(prior))])
        fitted, _ = nnls(np.vstack([relative, prior]), target)
        return fitted * unit
