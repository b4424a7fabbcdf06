"""`netdyn analyse`: a network and samples from files to tables, figures and a page."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

import netdyn
from netdyn.analysis.measuring import Analysis
from netdyn.analysis.reading import read
from netdyn.data.prepared import subset
from netdyn.errors import NetdynError
from netdyn.jobs import analysis_page
from netdyn.jobs.analysed_data import Samples, fitted, load_samples, value_range
from netdyn.jobs.analysed_model import load_network
from netdyn.jobs.analysis_levels import LEVELS, Level
from netdyn.jobs.analysis_panels import TITLES, Outcome
from netdyn.jobs.analysis_times import seconds_of, time_network
from netdyn.jobs.progress import ScaleProgress
from netdyn.networks.exported import sample_shape
from netdyn.networks.inputs import as_input, as_labels, check_finite
from netdyn.results.tables import write_table
from netdyn.runtime.devices import measuring_device
from netdyn.runtime.terminal import message

__all__ = ["Request", "analyse"]

EXAMPLE = 10  # samples that a network is traced with


class Request(NamedTuple):
    """What is analysed, and how.

    Attributes:
        model: FILE.pt2 or package:factory.
        data: FILE.npz, FILE.safetensors or a name.
        output: the folder that is made.
        weights: of the factory's module; None for its own.
        device: auto, cpu, cuda or mps.
        level: quick, standard or thorough.
        not_affine: refuse or freeze.
        data_root: folder of downloaded data sets.
        seed: of drawn units and of noise.
    """

    model: str
    data: str
    output: Path
    weights: Path | None = None
    device: str = "auto"
    level: str = "standard"
    not_affine: str = "refuse"
    data_root: Path = Path("data")
    seed: int = 0


def analyse(request: Request) -> bool:
    """Measure a network and write tables, figures and `index.html` into a new folder.

    Each table is written as soon as it is measured. A measure that the network does not allow is
    left out, and the page says why.

    Returns:
        Whether all was measured; False after an interrupt, when the folder holds what there is.

    Raises:
        NetdynError: for a network or samples that cannot be read, and a folder that exists.
    """
    if request.level not in LEVELS:
        raise NetdynError(f"--level {request.level!r}: choose one of {', '.join(LEVELS)}")
    if request.output.exists():
        raise NetdynError(f"--output {request.output} exists: name a new folder, or remove it")
    analysis_page.refuse_without_packages()
    started = time.monotonic()
    network, samples = _read(request)
    level = LEVELS[request.level]
    pace = time_network(network, samples.x, samples.y, value_range(samples.x))
    shape = len(samples.x), [site.width for site in network.sites], network.is_frozen
    estimates = {name: seconds_of(pace, one, *shape) for name, one in LEVELS.items()}
    drawing = len(TITLES) * analysis_page.seconds_to_draw()
    durations = {name: _duration(sum(one.values()) + drawing) for name, one in estimates.items()}
    by_level = ", ".join(f"{name} {duration}" for name, duration in durations.items())
    message(f"this takes about {durations[request.level]} (by level: {by_level})")
    request.output.mkdir(parents=True)
    outcomes: list[Outcome] = []
    complete = True
    try:
        for outcome in _outcomes(network, samples, level, request, estimates[request.level]):
            outcomes.append(outcome)
    except KeyboardInterrupt:
        complete = False
    if outcomes:
        facts = _facts(request, network, samples, time.monotonic() - started, complete)
        title = f"{Path(request.model).name} on {samples.title}"
        analysis_page.write(request.output, outcomes, facts, title)
    else:
        request.output.rmdir()
    return complete


def _read(request: Request) -> tuple[Analysis, Samples]:
    """Return the network that was read, and samples that fit it, on its device."""
    device = measuring_device(request.device)
    model = load_network(request.model, request.weights, device)
    samples = load_samples(request.data, request.data_root)
    if isinstance(model, torch.export.ExportedProgram):
        samples = fitted(samples, sample_shape(model)[1:])
    try:
        if not len(samples.x):
            raise NetdynError("there are no samples")
        x = as_input(samples.x).to(device)
        check_finite(x)
        network = read(model, x[:EXAMPLE], not_affine=request.not_affine)
        y = as_labels(samples.y, x, network.classes)
        if len(y.unique()) < 2:
            raise NetdynError(
                f"all samples are of class {int(y[0])}: ranks compare classes, so give samples of "
                "two or more"
            )
        network.logits(x[:1])
    except NetdynError as error:
        advice = str(error).replace('netdyn.read(..., not_affine="freeze")', "--not-affine freeze")
        raise NetdynError(f"{request.model} with {request.data}: {advice}") from error
    return network, samples._replace(x=x, y=y)


def _outcomes(
    network: Analysis,
    samples: Samples,
    level: Level,
    request: Request,
    estimates: Mapping[str, float],
) -> Iterator[Outcome]:
    """Measure one table after another, and yield each once it is written."""
    done = expected = 0.0

    def left() -> float:
        rest = sum(estimates.values()) - expected
        return rest * (done / expected if expected else 1.0)

    progress = ScaleProgress(len(estimates), left)
    for number, (name, measure) in enumerate(_measures(network, samples, level, request).items()):
        progress.start(number, TITLES[name])
        started = time.monotonic()
        try:
            table = measure()
        except NetdynError as error:
            message(f"{TITLES[name]}: not measured: {error}")
            yield Outcome(name, None, str(error))
        else:
            record = {"kind": "analysis", "made": _origin(request)}
            write_table(request.output / "tables" / f"{name}.csv", table, record)
            yield Outcome(name, table, "")
        done += time.monotonic() - started
        expected += estimates[name]


def _measures(
    network: Analysis, samples: Samples, level: Level, request: Request
) -> dict[str, Callable[[], pd.DataFrame]]:
    """Return what measures each table, by name, in the order in which they are measured."""
    x, y = _some(samples, level.samples)
    ranks = {"units": level.units, "map_samples": level.map_samples, "seed": request.seed}
    few = _some(samples, level.noisy)
    low, high = value_range(samples.x)
    noise = {"trials": level.trials, "seed": request.seed, "value_range": (low, high)}

    def in_both_spaces(measure: Callable, **options: object) -> pd.DataFrame:
        spaces = ("sample", "weight")
        return pd.concat(
            [measure(*few, space=space, **noise, **options) for space in spaces], ignore_index=True
        )

    return {
        "gradients": lambda: network.gradients(x, y, **ranks),
        "rank_probability": lambda: network.rank_probability(x, y, bins=50, **ranks),
        "pruning": lambda: network.pruning(*_some(samples, level.pruned)),
        "projection": lambda: network.projection(x).assign(label=y.cpu().numpy()),
        "noise_accuracy": lambda: in_both_spaces(
            network.noise_accuracy, amplitudes=level.amplitudes
        ),
        "basins": lambda: in_both_spaces(network.basins, by_class=level.by_class),
    }


def _some(samples: Samples, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return at most so many samples, as many of each class as their shares say; one at least."""
    x, y = samples.x, samples.y
    most = max(most, len(y.unique()))
    if len(x) <= most:
        return x, y
    chosen = subset(y.cpu(), most, 0).to(x.device)
    return x[chosen], y[chosen]


def _origin(request: Request) -> dict[str, object]:
    return {
        "model": request.model,
        "weights": None if request.weights is None else str(request.weights),
        "data": request.data,
        "level": request.level,
        "not_affine": request.not_affine,
        "seed": request.seed,
        "netdyn": netdyn.__version__,
        "torch": torch.__version__,
    }


def _facts(
    request: Request, network: Analysis, samples: Samples, seconds: float, complete: bool
) -> str:
    """Return what the page says above its panels; an empty line begins a paragraph."""
    shape = "×".join(map(str, samples.x.shape[1:]))
    weights = (
        "" if request.weights is None else f" The weights are those of {request.weights.name}."
    )
    classes = len(samples.y.unique())
    sites = len(network.sites)
    what = (
        f"{len(samples.x):,} samples of {shape} in {classes} classes; {sites} sites, the places of "
        f"activations, from 1, {network.sites[0].name}, to {sites}, {network.sites[-1].name}."
        f"{weights}"
    )
    low, high = value_range(samples.x)
    level = LEVELS[request.level]
    how = (
        f"Level {request.level}: g, RPDs and the plane are of at most {level.samples:,} samples, "
        f"pruning is of {level.pruned:,}, and noise on {level.noisy:,}. "
    )
    if (low, high) != (0.0, 1.0):
        how += f"Noise on samples is in units of their range, {low:.3g} … {high:.3g}. "
    if network.is_frozen:
        how += (
            "What is not affine and no activation, such as max pooling, is held at what it does to "
            "each sample; L-maps are means over samples. "
        )
    how += (
        f"In evaluation mode, seed {request.seed}, on {network.device}, netdyn "
        f"{netdyn.__version__}, PyTorch {torch.__version__}, {_duration(seconds)}."
    )
    stopped = "" if complete else "\n\nIt was interrupted: the rest is missing."
    return f"{what}\n\n{how}{stopped}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
