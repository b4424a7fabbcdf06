"""What measuring at a scale costs on one GPU, from the settings alone: a row per table.

Histories are what training's evaluations cost. Of the other quantities those that take time are
in it: rank gradients, RPDs, accuracies under noise and basins. Rows come in float32, launched one
by one, without differentiation; numbers read back make the host wait. Noise is drawn by the host
(its bits must not depend on the device) and kept on the GPU: once for all networks of a table.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from gpu import rates
from gpu.kernels import Kernel, batch_of, product, seconds_of, widths_of
from gpu.rates import Gpu
from netdyn.plan.settings import Measurement
from netdyn.training.schedules import scheduled_steps

__all__ = ["history_cost", "measuring_costs"]

# How netdyn takes samples: in evaluation (netdyn.training.evaluation.CHUNK), under noise
# (netdyn.measures.basins.noisy_passes: those that pass, those of one stream of noise), and fields
# to rank (netdyn.measures.ranks.rank_sums.FIELDS_AT_A_TIME_ON_GPU).
CHUNK = 10_000
SAMPLES_PER_PASS = 10_000
SAMPLES_PER_STREAM = 1000
FIELDS_AT_A_TIME = 2**25
# Passes over the inputs of noise that returns to each sample's own range, or is clipped.
RETURN_PASSES = {"affine": 0, "clip": 6, "range": 14}


class Cost(NamedTuple):
    """Seconds of the device, of the host's launches and waits, and of the host's noise."""

    device: float = 0.0
    host: float = 0.0
    noise: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, count: float) -> "Cost":
        return Cost(*(count * part for part in self))

    def seconds(self) -> float:
        """Return the seconds: the host draws and launches while the device works."""
        return max(self.device, self.host + self.noise)


NOTHING = Cost()


def measuring_costs(measurements: Mapping[str, Measurement], gpu: Gpu) -> pd.DataFrame:
    """Return a row per table that is modelled, and the sums of each kind.

    Returns:
        table; kind (evaluation, ranks, basins); networks that are measured, evaluated steps for a
        history; device_s, host_s (launches and waits), noise_s (drawing on one core of the host
        and copying); seconds, the larger of device_s and host_s + noise_s.
        Numbers are rounded to three digits. The best step, unknown before, counts as one more.
    """
    rows = [row for each in measurements.values() if (row := _row(each, gpu)) is not None]
    table = pd.DataFrame(rows)
    sums = table.groupby("kind", sort=False).sum(numeric_only=True).reset_index()
    sums.insert(0, "table", "sum")
    complete = pd.concat([table, sums], ignore_index=True)
    numbers = complete.select_dtypes("float").columns
    complete[numbers] = complete[numbers].map(lambda value: float(f"{value:.3g}"))
    return complete


def _row(measurement: Measurement, gpu: Gpu) -> dict[str, object] | None:
    if measurement.quantity not in KINDS:
        return None
    kind, cost_of = KINDS[measurement.quantity]
    networks, total = 0, NOTHING
    noise: dict[tuple, int] = {}
    for run in measurement.runs:
        count, cost = cost_of(run.settings, measurement.settings, gpu)
        networks, total = networks + count, total + cost
        if kind == "basins":
            noise |= _noise(run.settings, measurement.settings)
    total += _drawn(sum(noise.values()))
    names = {"device_s": total.device, "host_s": total.host, "noise_s": total.noise}
    return {
        "table": measurement.name,
        "kind": kind,
        "networks": networks,
        **names,
        "seconds": total.seconds(),
    }


def _kernels(kernels: Iterable[Kernel], gpu: Gpu) -> Cost:
    kernels = list(kernels)
    seconds = (max(seconds_of(each, gpu, "float32"), rates.DEVICE_LAUNCH) for each in kernels)
    return Cost(device=sum(seconds), host=rates.HOST_LAUNCH_NO_GRAD * len(kernels))


def _pass(samples: int, widths: list[int], norm_passes: int, active: bool) -> Iterator[Kernel]:
    """The kernels of one forward pass; `norm_passes` over the values of each hidden layer."""
    for l, (n, m) in enumerate(itertools.pairwise(widths), 1):
        yield product("product", samples, m, n, 4)
        if l == len(widths) - 1:
            return
        if norm_passes:
            yield Kernel("statistics", bytes=4.0 * (norm_passes - 2) * samples * m)
            yield Kernel("normalise", bytes=8.0 * samples * m)
        if active:
            yield Kernel("activation", bytes=8.0 * samples * m)


def _forward(samples: int, settings: Mapping, gpu: Gpu, training: bool, batch: int) -> Cost:
    """Return the cost of a forward pass of samples, `batch` at a time."""
    norm = (3 if training else 2) if settings["batch_norm"] else 0
    active = settings["activation"] != "identity"
    kernels = _pass(min(batch, samples), widths_of(settings), norm, active)
    return _kernels(kernels, gpu).times(max(1, samples // batch))


def history_cost(settings: Mapping, measured: Mapping, gpu: Gpu) -> tuple[int, Cost]:
    """Return the evaluated steps of a training, and what evaluating the network at them costs."""
    schedules = (settings["evaluate"], settings["snapshots"])
    steps = {step for each in schedules for step in scheduled_steps(each, settings["steps"])}
    samples, test = settings["samples"], rates.TEST_SAMPLES[settings["dataset"]]
    norm = settings["batch_norm"]
    batch = batch_of(settings) if norm else min(CHUNK, samples)
    cost = _forward(samples, settings, gpu, True, batch)
    cost += Cost(host=8 * rates.HOST_LAUNCH_NO_GRAD).times(samples // batch)  # loss, correct
    for training in (False, True)[: 1 + norm]:
        cost += _forward(test, settings, gpu, training, test)
    cost += Cost(host=3 * rates.READ_BACK + 10 * rates.HOST_LAUNCH_NO_GRAD * settings["depth"])
    return len(steps), cost.times(len(steps))


def _chosen(selector: object, settings: Mapping) -> int:
    """Return how many networks a measurement's `steps` mean."""
    if isinstance(selector, list):
        return sum(_chosen(each, settings) for each in selector)
    if selector == "all":
        return len(scheduled_steps(settings["snapshots"], settings["steps"])) + 1
    return 1


def _samples(measured: Mapping, settings: Mapping) -> int:
    requested = measured.get("samples", "all")
    return settings["samples"] if requested == "all" else min(requested, settings["samples"])


def _ranks(settings: Mapping, measured: Mapping, gpu: Gpu) -> tuple[int, Cost]:
    steps = _chosen(measured["steps"], settings)
    full = min(_chosen(measured.get("all_samples_at", []), settings), steps)
    bins = measured.get("bins", 0)
    some = _ranked(_samples(measured, settings), bins, measured, settings, gpu)
    of_all = _ranked(settings["samples"], bins, measured, settings, gpu)
    return steps, some.times(steps - full) + of_all.times(full)


def _ranked(samples: int, bins: int, measured: Mapping, settings: Mapping, gpu: Gpu) -> Cost:
    per_field = rates.RANK_BYTES + (rates.DENSITY_BYTES * rates.CLASSES if bins else 0)
    launches = rates.RANK_LAUNCHES + (rates.DENSITY_LAUNCHES * rates.CLASSES if bins else 0)
    cost = NOTHING
    for mode in measured["modes"]:
        passes = 2 if mode == "training" else 1  # the batch's statistics, then the fields
        cost += _forward(samples, settings, gpu, False, samples).times(passes)
    for width in settings["width"]:
        chunks = math.ceil(width / max(1, FIELDS_AT_A_TIME // samples))
        device = width * samples * per_field / (rates.PASS_SHARE * gpu.copy)
        host = chunks * (launches * rates.HOST_LAUNCH_NO_GRAD + 2 * rates.READ_BACK)
        cost += Cost(device=device, host=host).times(len(measured["modes"]))
    return cost


def _noisy(settings: Mapping, measured: Mapping, gpu: Gpu) -> tuple[int, Cost]:
    networks = _chosen(measured["steps"], settings)
    grid = measured["amplitudes"]
    amplitudes = grid["points"] + 1 if isinstance(grid, Mapping) else len(grid)
    by_space = {"sample": _sample_trial, "weight": _weight_trial}[measured["space"]]
    trial = by_space(_samples(measured, settings), amplitudes, measured, settings, gpu)
    return networks, trial.times(networks * measured["trials"])


def _noise(settings: Mapping, measured: Mapping) -> dict[tuple, int]:
    """Return how many normal deviates each piece of noise has that a run's networks need."""
    seed, trials, widths = settings["seed"], measured["trials"], widths_of(settings)
    if measured["space"] == "sample":
        # A block that is not full draws all of its noise too.
        blocks = math.ceil(_samples(measured, settings) / SAMPLES_PER_STREAM)
        each = trials * SAMPLES_PER_STREAM * widths[0]
        return {(seed, block): each for block in range(blocks)}
    shapes = enumerate(itertools.pairwise(widths), 1)
    return {(seed, l, n, m): trials * n * m for l, (n, m) in shapes}


def _drawn(numbers: float) -> Cost:
    return Cost(noise=numbers / rates.HOST_NORMALS + 4 * numbers / rates.HOST_COPY)


def _sample_trial(
    samples: int, amplitudes: int, measured: Mapping, settings: Mapping, gpu: Gpu
) -> Cost:
    widths, returned = widths_of(settings), measured.get("noise_return", "affine")
    blocks, size = math.ceil(samples / SAMPLES_PER_PASS), min(samples, SAMPLES_PER_PASS)
    first = product("first product", size, widths[1], widths[0], 4)
    once = [Kernel("inputs", bytes=9.0 * size * widths[0])]
    each = [*_after_first(size, widths, settings)]
    if returned == "affine":
        once += [first, first]
        each.append(Kernel("noisy fields", bytes=12.0 * size * widths[1]))
    else:
        passes = RETURN_PASSES[returned]
        each += [Kernel("noisy samples", bytes=8.0 * size * widths[0])] * (passes // 2)
        each.append(first)
    block = _kernels(once, gpu) + _kernels(each, gpu).times(amplitudes)
    return block.times(blocks)


def _weight_trial(
    samples: int, amplitudes: int, measured: Mapping, settings: Mapping, gpu: Gpu
) -> Cost:
    widths = widths_of(settings)
    matrices = [n * m for n, m in itertools.pairwise(widths)]
    blocks, size = math.ceil(samples / SAMPLES_PER_PASS), min(samples, SAMPLES_PER_PASS)
    once = [product("first product", samples, widths[1], widths[0], 4)]
    once += [Kernel("scaled noise", bytes=8.0 * count) for count in matrices] * 2
    weights = [Kernel("noisy weights", bytes=12.0 * count) for count in matrices[1:]]
    fields = [Kernel("noisy fields", bytes=12.0 * size * widths[1])]
    fields += [Kernel("gathered", bytes=8.0 * size * widths[1])] * 2
    block = _kernels([*fields, *_after_first(size, widths, settings)], gpu)
    amplitude = _kernels(weights, gpu) + block.times(blocks)
    return _kernels(once, gpu) + amplitude.times(amplitudes)


def _after_first(samples: int, widths: list[int], settings: Mapping) -> Iterator[Kernel]:
    """The kernels from h^(1) to which samples are right; batch norm is folded into the weights."""
    if settings["activation"] != "identity":
        yield Kernel("activation", bytes=8.0 * samples * widths[1])
    yield from _pass(samples, widths[1:], 0, settings["activation"] != "identity")
    yield from [Kernel("is right", bytes=4.0 * samples)] * 6


KINDS = {
    "history": ("evaluation", history_cost),
    "rpd_gradient": ("ranks", _ranks),
    "rank_probability": ("ranks", _ranks),
    "basin_size": ("basins", _noisy),
    "noise_accuracy": ("basins", _noisy),
}
