"""Steps of every group of runs on a device: their error, their bits, their time, in a budget."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch

from gpu.cases import (
    Case,
    Samples,
    Training,
    as_bytes,
    compared_steps,
    reference_errors,
)
from gpu.ceilings import seconds_of_calls
from gpu.kernels import batch_of, step_flop, step_kernels
from gpu.launches import launches_per_step
from gpu.model import step_seconds
from gpu.rates import Gpu

__all__ = ["measure"]

REPEATS = 5
# Steps of a repeat take about so many seconds, and are so many at most.
REPEAT_SECONDS = 0.06
MOST_STEPS = 2000
# The engines, the one that the others are compared with first, by their names in the model.
LAUNCHED = {"plain": "launches", "auto": "graphs"}

Row = dict[str, object]


def measure(
    timed: Iterable[Case],
    device: torch.device,
    ceilings: dict[str, float],
    gpu: Gpu | None,
    seconds: float,
    prepared: Path | None = None,
    written: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """Return a row per case and engine; a case that fails has the reason in its row's `failed`.

    Args:
        ceilings: FLOP/s by precision (see `ceilings.ceilings`).
        gpu: whose modelled times stand beside the measured ones.
        seconds: after which nothing new is begun.
        prepared: a prepared data set; random bytes without one.
        written: called with all rows so far after every case.
    """
    timed, rows = list(timed), []
    bench = _Bench(device, ceilings, gpu, Samples(prepared), time.perf_counter() + seconds)
    for place, case in enumerate(timed):
        left = bench.deadline - time.perf_counter()
        share = time.perf_counter() + left / (len(timed) - place)
        rows += bench.guarded(case, share)
        _release(device)
        written(rows)
    # Last, since a profiler slows what runs after it.
    for row in rows:
        case = next(case for case in timed if case.run.id == row["run"])
        if row["failed"] == "" and time.perf_counter() < bench.deadline:
            row["launches_per_step"] = bench.launches(case, str(row["engine"]))
            _release(device)
    written(rows)
    return rows


def _described(case: Case) -> Row:
    settings = case.settings
    return {
        "group": case.group,
        "run": case.run.id,
        "depth": settings["depth"],
        "width": max(settings["width"], default=0),
        "samples": settings["samples"],
        "batch": batch_of(settings),
        "precision": settings["precision"],
        "engine": "",
        "failed": "",
    }


class _Bench(NamedTuple):
    """Where cases are measured, against what, and until when (by `time.perf_counter`)."""

    device: torch.device
    ceilings: dict[str, float]
    gpu: Gpu | None
    samples: Samples
    deadline: float

    def guarded(self, case: Case, until: float) -> list[Row]:
        """Return the rows of a case; what fails ends them with a row that gives the reason."""
        described, rows = _described(case), []
        try:
            for row in self._rows(case, until):
                rows.append(described | row)
        except Exception as error:  # one case must not lose the rows of the others
            reason = str(error).partition("\n")[0]
            rows.append(described | {"failed": f"{type(error).__name__}: {reason}"})
        return rows

    def _check_time(self) -> None:
        if time.perf_counter() >= self.deadline:
            raise TimeoutError("not measured, the budget of seconds is spent")

    def _rows(self, case: Case, until: float) -> Iterator[Row]:
        self._check_time()
        settings, tried = case.settings, list(LAUNCHED)
        *given, source = self.samples.of(settings)
        count, errors = reference_errors(settings, tuple(given), self.device, tried)
        plain = None
        for place, engine in enumerate(tried):
            self._check_time()
            left = until - time.perf_counter()
            own = time.perf_counter() + left / (len(tried) - place)
            run, bits, seconds = self._timed(settings, given, engine, own)
            plain = bits if plain is None else plain
            after_one, after_all = errors[engine]
            yield {
                "engine": engine,
                "data": source,
                "reference_samples": count,
                "error_after_one": after_one,
                "rounding_after_one": errors["rounding"][0],
                "error": after_all,
                "rounding": errors["rounding"][1],
                **run,
                "equals_plain": _equal(bits, plain),
                **self._compared(settings, engine, seconds),
                "launches_per_step": None,
                "modelled_launches": len(step_kernels(settings, settings["precision"])),
            }

    def _timed(
        self, settings: dict, given: list[torch.Tensor], engine: str, until: float
    ) -> tuple[Row, list[torch.Tensor], float]:
        """Return what two runs of the compared steps were, the first's bits, seconds a step."""
        ends, compared = [], compared_steps(settings)
        for _ in range(2):
            run = Training(settings, tuple(given), self.device, engine)
            since = time.perf_counter()
            losses = run.advance(compared)
            ends.append([*run.bits(), as_bytes(losses)])
            duration = (time.perf_counter() - since) / compared
        each = max(1, min(MOST_STEPS, round(REPEAT_SECONDS / duration)))
        spent = seconds_of_calls(lambda: run.advance(each), self.device, REPEATS, until)
        times = [seconds / each for seconds in spent]
        result = {
            "taken_by": run.made_by(),
            "compared_steps": compared,
            "equal_bits": _equal(*ends),
            "ms_per_step": 1000 * statistics.median(times),
            "fastest_ms": 1000 * min(times),
            "slowest_ms": 1000 * max(times),
            "repeats": len(times),
            "steps_each": each,
        }
        return result, ends[0], statistics.median(times)

    def _compared(self, settings: dict, engine: str, seconds: float) -> Row:
        """Return what the model says of a step, FLOP/s, and their share of the ceiling."""
        precision = settings["precision"]
        rate, ceiling = step_flop(settings) / seconds, self.ceilings.get(precision)
        modelled = None
        if self.gpu is not None:
            modelled = 1000 * step_seconds(settings, self.gpu, precision, LAUNCHED[engine])
        return {
            "model_ms": modelled,
            "tflop_per_second": rate / 1e12,
            "share_of_ceiling": None if ceiling is None else rate / ceiling,
        }

    def launches(self, case: Case, engine: str) -> float | None:
        """Return the launches of a step; None where there is no profiler."""
        *given, _ = self.samples.of(case.settings)
        try:
            run = Training(case.settings, tuple(given), self.device, engine)
            return launches_per_step(run.advance, self.device, compared_steps(case.settings))
        except RuntimeError:
            return None


def _equal(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def _release(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
