"""Small tables, put together by hand, to draw Fig. 4 and 5 from."""

import numpy as np
import pandas as pd
from figure_tables import crossed, wave

DEPTHS, WIDTHS, WIDTH = [2, 4, 8, 16], [128, 256, 512, 1024], 512
AMPLITUDES = [0.0, *np.geomspace(0.03, 3, 9).tolist()]
CONE_AMPLITUDES = [0.05, 0.2, 0.8]
SWEEPS = {
    "learning_rates": ("learning_rate", [0.01, 0.1, 0.4, 1.6]),
    "batch_sizes": ("batch_size", [200, 2000, 20000]),
}
FIG4_TABLES = [
    *(f"architecture_{space}_noise" for space in ("sample", "weight")),
    *(f"architecture_{space}_basin" for space in ("sample", "weight")),
    *(f"{sweep}_{space}_basin" for sweep in SWEEPS for space in ("sample", "weight")),
    *(f"{sweep}_history" for sweep in SWEEPS),
    "deep23_class_noise",
    "deep23_shift_cone",
]
FIG5_TABLES = ["deep23_cone", "deep23_fragile", "deep23_adversarial"]
SIDE = 28  # pixels of an image's edge


def basin_at(space, depth, width):
    """Return a size that moves with depth and width as the paper's basins do."""
    by_depth = 1 - np.exp(-depth / 5) if space == "sample" else 0.4 + 2 * np.exp(-depth / 4)
    return by_depth * (0.6 + 0.35 * (1 - np.exp(-width / 400)))


def scatter_of(table, share, *columns):
    """Return factors around 1, different for every combination of the columns' values."""
    return 1 + share * (2 * wave(table, *columns) - 1)


def noise(space, amplitudes=AMPLITUDES, **own):
    table = crossed(run=["architecture"], width=[WIDTH], **own, amplitude=amplitudes)
    half = basin_at(space, table["depth"], WIDTH) * scatter_of(table, 0.06, "seed", "depth")
    table["accuracy"] = 0.1 + 0.88 / (1 + (table["amplitude"] / half) ** 3)
    return table.assign(step=100 + table["seed"], space=space, of="average", index=-1)


def sizes(table, space, size):
    """Return a table of basins, with rows of another kind that no panel may draw."""
    table = table.assign(space=space, of="average", index=-1, size=size, clean_accuracy=0.98)
    table["step"] = 100 + table["seed"]  # each seed has its own best step
    table["size_error"] = 0.04 * table["size"]
    return pd.concat([table, table.assign(of="class", index=0, size=9.0)], ignore_index=True)


def sweep_tables(sweep, seeds):
    column, values = SWEEPS[sweep]
    own = crossed(run=[sweep], **{column: values}, seed=seeds)
    place = np.log(own[column] / values[0]) / np.log(values[-1] / values[0])
    noisy = scatter_of(own, 0.05, "seed", column)
    history = own.merge(pd.DataFrame({"step": [0, 10, 100]}), how="cross")
    best = (0.97 - 0.3 * (place - 0.6) ** 2) * scatter_of(own, 0.004, "seed", column)
    reached = history["step"].map({0: 0.1, 10: 0.6, 100: 1.0})
    history["train_loss"] = 2.3 - 2.2 * reached
    history["train_accuracy"] = reached
    history["test_accuracy"] = reached * np.repeat(best.to_numpy(), 3)
    return {
        f"{sweep}_history": history,
        f"{sweep}_sample_basin": sizes(own, "sample", (0.5 - 0.6 * (place - 0.7) ** 2) * noisy),
        f"{sweep}_weight_basin": sizes(own, "weight", (1.5 - 2 * (place - 0.5) ** 2) * noisy),
    }


def class_noise(seeds):
    own = {"run": ["deep23"], "seed": seeds, "index": range(-1, 10), "amplitude": AMPLITUDES}
    table = crossed(**own)
    half = 0.1 * 1.25 ** table["index"]
    table["accuracy"] = 0.02 * table["index"].clip(lower=0) + 0.8 / (
        1 + (table["amplitude"] / half) ** 2.5
    )
    of = np.where(table["index"] < 0, "average", "class")
    return table.assign(step=89, space="sample", of=of)


def cone_points(apexes, amplitudes, points, common):
    """Return perturbed points that wander from each apex to a common point as they spread."""
    stream = np.random.default_rng(0)
    rows = []
    for sample, (digit, shift, apex) in enumerate(apexes):
        own = {"kind": "point", "sample": 100 + sample, "digit": digit, "shift": shift}
        rows.append({**own, "amplitude": 0.0, "kept": 1, "at": np.array(apex, dtype=float)})
        for amplitude in amplitudes:
            moved = amplitude / (0.2 + amplitude)
            centre = np.array(apex) + moved * (np.array(common) - apex)
            for spread in stream.normal(size=(points, len(apex))):
                kept = int(stream.random() < 1 - moved + 0.05 * (digit % 3))
                at = centre + 0.1 * moved * np.linalg.norm(np.array(common) - apex) * spread
                rows.append({**own, "amplitude": amplitude, "kept": kept, "at": at})
    return rows


def cone_table(apexes, common, data_spread, seeds, amplitudes=CONE_AMPLITUDES, points=12):
    stream = np.random.default_rng(1)
    rows = cone_points(apexes, amplitudes, points, common)
    for digit in sorted({digit for digit, _, _ in apexes}):
        middle = np.mean([apex for other, _, apex in apexes if other == digit], axis=0)
        for kind in ("train", "test"):
            for at in middle + data_spread * stream.normal(size=(5 * points, len(common))):
                rows.append({"kind": kind, "digit": digit, "at": at})
    places = np.array([row.pop("at") for row in rows])
    table = pd.DataFrame(rows)
    for d in range(3):
        table[f"c{d + 1}"] = places[:, d] if d < places.shape[1] else np.nan
    table = table.astype({"sample": "Int64", "shift": "Int64", "kept": "Int64"})
    return pd.concat([table.assign(run="deep23", seed=seed, step=89) for seed in seeds])


def shift_cone(seeds, **size):
    apexes = [(2, 0, (52.0, 74.0)), (2, 3, (41.0, 60.0))]
    return cone_table(apexes, (190.0, 200.0), np.array([13.0, 18.0]), seeds, **size)


def cone(seeds, **size):
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False) * 7
    apexes = [
        (i // 2, 0, (4 * np.cos(t), 3 * np.sin(t), 3 * np.sin(2.6 * t))) for i, t in enumerate(turn)
    ]
    return cone_table(apexes, (3.0, 0.3, 0.2), 1.2, seeds, **size)


def fragile(seeds):
    down, right = np.mgrid[:SIDE, :SIDE] / (SIDE - 1)
    stroke = np.exp(-(((right - 0.5 - 0.25 * np.sin(5 * down)) / 0.07) ** 2)) * (
        abs(down - 0.5) < 0.4
    )
    stream = np.random.default_rng(2)
    images = {"original": stroke, "noise": 0.03 * stream.normal(size=stroke.shape)}
    images["noisy"] = images["original"] + images["noise"]
    images["perturbation"] = 0.008 * np.roll(stroke, 3, axis=1) * stream.normal(size=stroke.shape)
    images["flipped"] = images["original"] + images["perturbation"]
    numbers = {
        "sample": 17, "digit": 2, "basin": 0.0151, "amplitude": 0.03, "held_out_flips": 0.835,
        "flip_distance": 0.0968, "prediction_original": 2, "prediction_noisy": 3,
        "prediction_flipped": 8,
    }  # fmt: skip
    pixels = [
        pd.DataFrame({"kind": kind, "pixel": range(SIDE**2), "value": image.ravel()})
        for kind, image in images.items()
    ]
    summary = pd.DataFrame({"kind": "summary", "name": numbers.keys(), "value": numbers.values()})
    table = pd.concat([*pixels, summary], ignore_index=True)
    return pd.concat([table.assign(run="deep23", seed=seed, step=89) for seed in seeds])


def adversarial(seeds):
    """Return basins and flip distances of 50 samples, three of them without an end."""
    table = crossed(run=["deep23"], seed=seeds, sample=range(50))
    table["basin"] = 0.0151 * np.exp(0.1 * table["sample"])
    table["least_flip_distance"] = 0.0968 * np.exp(0.06 * table["sample"])
    table.loc[table["sample"] > 46, "basin"] = np.inf
    return table


def fig4_tables(seeds):
    tables = {}
    for space in ("sample", "weight"):
        own = crossed(run=["architecture"], width=WIDTHS, depth=DEPTHS, seed=seeds)
        mean = basin_at(space, own["depth"], own["width"])
        size = mean * scatter_of(own, 0.05, "seed", "depth", "width")
        tables[f"architecture_{space}_basin"] = sizes(own, space, size)
        tables[f"architecture_{space}_noise"] = noise(space, depth=DEPTHS, seed=seeds)
    for sweep in SWEEPS:
        tables |= sweep_tables(sweep, seeds)
    return tables | {
        "deep23_class_noise": class_noise(seeds),
        "deep23_shift_cone": shift_cone(seeds),
    }


def noise_returns_tables(seeds):
    """Return basins under an affine return, and a tenth as large under the other."""
    widths = crossed(run=["architecture"], width=WIDTHS, depth=DEPTHS, seed=seeds)
    size = basin_at("sample", widths["depth"], widths["width"])
    size = size * scatter_of(widths, 0.05, "seed", "depth", "width")
    steps = crossed(run=["grokking"], seed=seeds, at=[0, 1, 10, 100, 1000, 10000])
    grown = steps["at"] / (300 + steps["at"]) * scatter_of(steps, 0.05, "seed", "at")
    classes = crossed(run=["deep23"], seed=seeds, index=range(10))
    own = 0.5 * 1.1 ** classes["index"] * scatter_of(classes, 0.05, "seed", "index")
    own[(classes["index"] == 3) & (classes["seed"] == seeds[-1])] = np.inf
    tables = {}
    for factor, ending, class_ending in ((1, "", "_affine"), (0.1, "_cone", "")):
        tables[f"architecture_sample_basin{ending}"] = sizes(widths, "sample", factor * size)
        by_step = sizes(steps, "sample", factor * grown)
        tables[f"grokking_sample_basin{ending}"] = by_step.assign(step=by_step["at"])
        of_class = {"step": 89, "of": "class", "size": factor * own, "size_error": 0.01 * own}
        tables[f"deep23_class_basin{class_ending}"] = classes.assign(**of_class)
    return tables


def make_basin_tables(name, seeds=(0, 1)):
    if name == "fig4":
        return fig4_tables(seeds)
    if name == "noise_returns":
        return noise_returns_tables(seeds)
    own = {"deep23_cone": cone(seeds), "deep23_fragile": fragile(seeds)}
    return own | {"deep23_adversarial": adversarial(seeds)}
