"""Tables of the basins of Fig. 4 and 5, put together by hand, in which C28 to C36 hold."""

import numpy as np
import pandas as pd
from claim_judging import INF, NAN, SEEDS, crossed, history_of

WIDTHS, DEPTHS = [128, 256, 512, 1024], [2, 4, 8, 12]
RATES = [0.03, 0.1, 0.3, 1.0]


def basins(settings, size, run="architecture"):
    """Return average basins of size(row), and of everything else ones that no claim may read."""
    table = crossed(run, settings=settings, of=["average", "class"]).assign(index=-1)
    sizes = [size(row) if row.of == "average" else NAN for row in table.itertuples()]
    return table.assign(size=sizes, size_error=0.01)


def levelling(row):
    """Grow with width, and with depth to a level; a little different in each seed."""
    return (1 - np.exp(-row.depth / 2)) * np.log(row.width) + 0.001 * row.seed


def shrinking(row):
    return (0.3 + np.exp(-row.depth / 2)) * np.log(row.width) + 0.001 * row.seed


def architecture(sample=levelling, weight=shrinking, cone=levelling):
    settings = {"width": WIDTHS, "depth": DEPTHS}
    return {
        "architecture_history": history_of("architecture", settings=settings),
        "architecture_sample_basin": basins(settings, sample),
        "architecture_sample_basin_cone": basins(settings, cone),
        "architecture_weight_basin": basins(settings, weight),
    }


def sweep(name, setting, values, accuracies, sample, weight):
    """Return the tables of a sweep whose value i has accuracy i, sample basin i, weight basin i."""
    place = {value: i for i, value in enumerate(values)}

    def of(numbers):
        return lambda row: numbers[place[getattr(row, setting)]] * (1 + 0.001 * row.seed)

    settings = {setting: values}
    return {
        f"{name}_history": history_of(name, settings=settings, test_accuracy=of(accuracies)),
        f"{name}_sample_basin": basins(settings, of(sample), name),
        f"{name}_weight_basin": basins(settings, of(weight), name),
    }


def rates(accuracies=(0.8, 0.9, 0.95, 0.9), sample=(1, 2, 5, 3), weight=(4, 5, 4.5, 1)):
    return sweep("learning_rates", "learning_rate", RATES, accuracies, sample, weight)


def batches(accuracies=(0.8, 0.9, 0.95, 0.9), sample=(1, 2, 5, 3), weight=(4, 5, 4.5, 1)):
    sizes = [60000, 6000, 600, 60]
    return sweep("batch_sizes", "batch_size", sizes, accuracies, sample, weight)


def classes(sizes=(0.5, 0.6, 0.8), errors=(0.01, 0.02, 0.01), affine=None):
    def table(numbers):
        rows = crossed("deep23", of=["average", "class"], index=range(len(numbers)))
        of_class = rows["of"] == "class"
        rows["size"] = np.where(of_class, np.array(numbers)[rows["index"]], 9.0)
        return rows.assign(size_error=np.array(errors)[rows["index"]])

    return {
        "deep23_history": history_of("deep23"),
        "deep23_class_basin": table(sizes),
        "deep23_class_basin_affine": table(affine or sizes),
    }


AMPLITUDES = [0.1, 0.2, 0.4, 0.8]
RETURNS = ["range", "affine"]  # what holds for the first must not hold for the other


def cones(prefix, pairs, overlap, shape):
    """Return overlaps of pairs of (sample, shift), all amplitudes and pooled, and their shapes.

    overlap(amplitude, pair) and shape(amplitude) hold with noise returned by range; by affine there
    is nothing of what the paper says.
    """
    rows = []
    for seed in SEEDS:
        for noise_return in RETURNS:
            for pair, ((a, shift_a), (b, shift_b)) in enumerate(pairs):
                for amplitude in (*AMPLITUDES, NAN):
                    result = overlap(amplitude, pair) if noise_return == "range" else 0.99
                    rows.append(
                        ("deep23", seed, noise_return, a, b, shift_a, shift_b, amplitude, result)
                    )
    columns = ["run", "seed", "noise_return", "sample_a", "sample_b", "shift_a", "shift_b"]
    overlaps = pd.DataFrame(rows, columns=[*columns, "amplitude", "overlap"])
    samples = sorted({sample for pair in pairs for sample in pair})
    shapes = crossed("deep23", noise_return=RETURNS, of=samples, amplitude=AMPLITUDES)
    shapes["sample"], shapes["shift"] = zip(*shapes.pop("of"), strict=True)
    numbers = [
        shape(row.amplitude) if row.noise_return == "range" else (1 - row.amplitude, 0.0)
        for row in shapes.itertuples()
    ]
    shapes["spread"], shapes["drift"] = zip(*numbers, strict=True)
    return {
        "deep23_history": history_of("deep23"),
        f"deep23_{prefix}_overlap": overlaps,
        f"deep23_{prefix}_shape": shapes.assign(distance_to_common=1 - shapes["amplitude"]),
    }


def shifted(overlap=0.05, shape=lambda a: (a, 2 * a)):
    """A sample and its copy, and beside them a pair of other samples, which overlap wholly."""

    def overlap_of(amplitude, pair):
        return 1.0 if pair == 1 else overlap if np.isnan(amplitude) else 0.9

    return cones("shift", [((3, 0), (3, 3)), ((3, 0), (4, 0))], overlap_of, shape)


def twenty(distinct=4, growing=True):
    """Five pairs of which so many are distinct when all amplitudes are pooled."""

    def overlap_of(amplitude, pair):
        if np.isnan(amplitude):
            return 0.05 if pair < distinct else 0.6
        return amplitude if growing else 0.5

    pairs = [((i, 0), (i + 1, 0)) for i in range(5)]
    return cones("cone", pairs, overlap_of, lambda a: (a, a))


def adversarial(flip=lambda basin: 2 * basin):
    basin = [0.1, 0.3, 0.2, 0.5, INF]
    flips = crossed("deep23", sample=range(6))
    flips["basin"] = flips["sample"].map(dict(enumerate([*basin, 0.7])))
    flips["flip_distance"] = [
        # The last one was never flipped.
        NAN if row.sample == 5 else flip(9.0 if row.basin == INF else row.basin)
        for row in flips.itertuples()
    ]
    flips["least_flip_distance"] = flips["flip_distance"] / 2
    fragile = crossed("deep23", name=["sample", "digit", "basin", "flip_distance"])
    values = {"sample": 0, "digit": 2, "basin": 0.1, "flip_distance": 0.2}
    return {
        "deep23_history": history_of("deep23"),
        "deep23_adversarial": flips,
        "deep23_fragile": fragile.assign(kind="summary", value=fragile["name"].map(values)),
    }


def flat(row):
    return 1.0


def growing(row):
    return row.depth


def falling(row):
    return shrinking(row) / np.log(row.width) ** 2


def in_all_but(chosen, size, other):
    """Return sizes by `size`, and by `other` in networks whose setting is one of `chosen`."""
    return lambda row: (other if {row.width, -row.depth} & chosen else size)(row)
