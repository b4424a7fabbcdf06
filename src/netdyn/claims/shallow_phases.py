"""Sec. V.B, claims C43 to C46: basins and RPD gradients while a shallow network groks (Fig. 7b–d).

The times before, at and after the onset of grokking are defined by each training's course: see
`netdyn.claims.grokking_course.Course`. Steps are compared on a logarithmic axis, as the figure
draws them.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from netdyn.claims.basins import with_affine
from netdyn.claims.curves import (
    fluctuation,
    format_step,
    sentence,
    sizes_on,
    steepest_rise,
    together,
    trends,
    within_factor,
)
from netdyn.claims.gradient_errors import error_of
from netdyn.claims.grokking_course import ACCURACIES, Course, averages, courses, first_measured
from netdyn.claims.kinds import (
    Claim,
    NotTested,
    Outcome,
    at_least,
    at_most,
    each,
    format_mean,
    format_number,
    mean_spread,
    verdict,
    worst,
)
from netdyn.claims.panels import by_layer
from netdyn.claims.tables import Tables, matching
from netdyn.claims.values import measured

__all__ = ["CLAIMS"]


def c43(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Basins are small before grokking and grow past the test-train deviation at its onset.

    In each seed: the training set is memorised before the onset; the sample-space basin lies in
    `before_low` … `before_high` at the first kept step from then on, and is above `after` at the
    step of best test accuracy; the deviation (RMS per pixel from a test image to the nearest
    training image of its class, mean over test images) lies in `deviation_low` … `deviation_high`;
    and the steepest growth of either basin, or, by option `size`, of its logarithm, against the
    logarithm of the step is within a `factor` in steps of the onset. Judged with noise returned as
    in the paper's picture; the result of `affine` is added to the sentence.
    """
    picture, affine = (
        _basins_jump(tables, row, name)
        for name in ("grokking_sample_basin_cone", "grokking_sample_basin")
    )
    return with_affine(picture, affine)


def c44(tables: Tables, row: Claim, mode: str) -> Outcome:
    """In both hidden layers g is small before grokking and peaks around the grokking point.

    In each seed: the training set is memorised before the onset; and in each layer |g| at every
    kept step up to the first from then on is at most `share_of_maximum` of the largest g, and the
    step of the largest is within a `factor` of the onset.
    """
    verdicts, shares, details, early = [], [], [], []
    for course, g in _gradients(tables, mode):
        last = first_measured(g.index, course.memorised)
        before = g[g.index <= last].abs().max()
        rows = _rows(tables, mode, course)
        early.append(rows[rows["step"] <= last])
        peaks, largest = g.idxmax(), g.max()
        small = (before <= row.thresholds["share_of_maximum"] * largest).all()
        near = all(within_factor(p, course.onset, row.thresholds["factor"]) for p in peaks)
        verdicts.append(verdict(course.memorised < course.onset and small and near))
        shares.append((before / largest).max())
        listed = (f"{before[l]:.2f} → {largest[l]:.2f} at step {peaks[l]:,}" for l in g)
        details.append(f"{', '.join(listed)} (onset {format_step(course.onset)})")
    return Outcome(
        each(*verdicts),
        f"g before / largest {format_mean(shares)}{error_of(pd.concat(early), 'g before')}",
        mean_spread(shares)[1],
        f"Largest g up to memorisation → largest at all, by layer: {'; '.join(details)}.",
        len(verdicts),
        0,
    )


def c45(tables: Tables, row: Claim, mode: str) -> Outcome:
    """After its peak g falls again while test accuracy improves.

    In each seed there is a kept step, after the peaks of both layers, at which g of either layer is
    at least a share `fall` below its peak and the test accuracy at least `gain_points` above that
    at the later peak.
    """
    verdicts, gains, details = [], [], []
    for course, g in _gradients(tables, mode):
        test = 100 * measured(pd.Series(course.test, course.steps).reindex(g.index))
        peak = max(g.index.get_indexer(g.idxmax()))
        fallen = (1 - g / g.max()).min(axis=1).to_numpy()  # in the layer where it fell less
        gain = test - test[peak]
        later = np.arange(len(g)) > peak
        enough = later & [at_least(share, row.thresholds["fall"]) for share in fallen]
        best = max(gain[enough], default=-np.inf)
        verdicts.append(verdict(at_least(best, row.thresholds["gain_points"])))
        gains.append(max(gain[later], default=0.0))
        details.append(
            f"after the peaks (step {g.index[peak]:,}) g falls by up to "
            f"{100 * max(fallen[later], default=0.0):.0f} %, and test accuracy gains up to "
            f"{format_number(gains[-1])} points"
            + (f", {format_number(best)} where g has fallen" if enough.any() else "")
        )
    return Outcome(
        each(*verdicts),
        f"largest gain {format_mean(gains, ' points')}",
        mean_spread(gains)[1],
        sentence(*details),
        len(verdicts),
        0,
    )


def c46(tables: Tables, row: Claim, mode: str) -> Outcome:
    """Late in training the sample basin grows, the weight basin and the test accuracy fall.

    Late: the upper half of the logarithmic axis of steps from the onset to the last step, so steps
    from √(onset · last) on. The three trends hold there in each seed, and the weight basin
    fluctuates more than in the lower half: the root mean square of its distance from the straight
    line, over the logarithm of the step, between its neighbours.
    """
    trainings = list(courses(tables))
    history = tables.history("grokking_history", ACCURACIES)
    sample, weight = (
        tables.get(f"grokking_{space}_basin", ["step", "of", "size"])
        for space in ("sample", "weight")
    )
    late: dict[str, list[pd.DataFrame]] = {"sample": [], "weight": [], "test": []}
    rougher, details = [], []
    for course in trainings:
        middle = np.sqrt(course.onset * course.steps[-1])
        basin = averages(weight, course)
        earlier = basin[(basin["step"] >= course.onset) & (basin["step"] <= middle)]
        of_run = matching(history, **course.identity)
        for name, rows in (
            ("sample", averages(sample, course)), ("weight", basin), ("test", of_run),
        ):  # fmt: skip
            late[name].append(rows[rows["step"] >= middle])
        before, after = fluctuation(earlier), fluctuation(late["weight"][-1])
        rougher.append(verdict(after > before))
        details.append(f"from {before:.3f} to {after:.3f} (step {format_step(middle)})")
    joined = {name: pd.concat(rows) for name, rows in late.items()}
    outcome = together(
        ("late, the sample basin", trends(joined["sample"], "step", "size", 1, row.thresholds)),
        ("the weight basin", trends(joined["weight"], "step", "size", -1, row.thresholds)),
        ("test accuracy", trends(joined["test"], "step", "test_accuracy", -1, row.thresholds)),
    )
    return outcome._replace(
        verdict=worst(outcome.verdict, each(*rougher)),
        seen=f"{outcome.seen[:-1]}; the weight basin's fluctuation goes {'; '.join(details)}.",
    )


def _basins_jump(tables: Tables, row: Claim, name: str) -> Outcome:
    """Judge C43 with the sample-space basins of table `name`."""
    trainings, columns = list(courses(tables)), ["step", "of", "size"]
    basins = {"sample": tables.get(name, columns)}
    basins["weight"] = tables.get("grokking_weight_basin", columns)
    distances = matching(tables.get("grokking_test_distance", ["digit", "distance"]), digit=-1)
    bounds, verdicts, befores, afters, details = row.thresholds, [], [], [], []
    for course in trainings:
        sizes = {space: _sizes(table, course) for space, table in basins.items()}
        start = first_measured(sizes["sample"].index, course.memorised)
        before, after = sizes["sample"][start], sizes["sample"].get(course.best)
        if after is None:
            raise NotTested("no basin was measured at the step of best test accuracy")
        deviation = float(measured(matching(distances, **course.identity)["distance"])[0])
        on_axis = sizes_on(row, {space: (size.index, size) for space, size in sizes.items()})
        jumps = {space: steepest_rise(*curve) for space, curve in on_axis.items()}
        holds = (
            course.memorised < course.onset,
            _between(before, bounds["before_low"], bounds["before_high"]),
            after > bounds["after"],
            _between(deviation, bounds["deviation_low"], bounds["deviation_high"]),
            *(within_factor(jump, course.onset, bounds["factor"]) for jump in jumps.values()),
        )
        verdicts.append(verdict(all(holds)))
        befores.append(before)
        afters.append(after)
        details.append(
            f"the sample basin is {format_number(before, 3)} at step {start:,} and "
            f"{format_number(after, 3)} at "
            f"step {course.best:,}, the deviation {deviation:.3f}; steepest growth of the sample "
            f"basin at step {format_step(jumps['sample'])}, of the weight basin at "
            f"{format_step(jumps['weight'])}, of test accuracy at {format_step(course.onset)}"
        )
    return Outcome(
        each(*verdicts),
        f"sample basin {format_mean(befores, digits=3)} → {format_mean(afters, digits=3)}",
        mean_spread(befores)[1],
        sentence(*details),
        len(verdicts),
        0,
    )


def _sizes(table: pd.DataFrame, course: Course) -> pd.Series:
    rows = averages(table, course)
    measured(rows["size"])
    return rows.set_index("step")["size"]


def _gradients(tables: Tables, mode: str) -> Iterator[tuple[Course, pd.DataFrame]]:
    """Yield each training's course and its g_l: kept steps by layers."""
    for course in list(courses(tables)):
        yield course, by_layer(_rows(tables, mode, course), "step")


def _rows(tables: Tables, mode: str, course: Course) -> pd.DataFrame:
    """Return a training's rows of g_l, means over classes."""
    columns = ["step", "mode", "layer", "class", "gradient"]
    table = matching(tables.get("grokking_gradient", columns), mode=mode, **{"class": -1})
    return matching(table, **course.identity)


def _between(value: float, low: float, high: float) -> bool:
    return at_least(value, low) and at_most(value, high)


CLAIMS = {"C43": c43, "C44": c44, "C45": c45, "C46": c46}
