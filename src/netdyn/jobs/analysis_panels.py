"""The panels of the page of `netdyn analyse`: what each table shows, in words and as a figure."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from netdyn.explorer.page import Panel
from netdyn.plots.style import CLASS_COLOURS, COLOURS, layer_colours

__all__ = ["TITLES", "Outcome", "panel"]

TITLES = {
    "gradients": "RPD gradient g over depth",
    "rank_probability": "Rank probability distributions (RPDs)",
    "pruning": "Pruning by the L-map",
    "projection": "Samples in the plane of the logits",
    "noise_accuracy": "Accuracy under noise",
    "basins": "Attraction basins",
}
SPACES = {"sample": COLOURS["blue"], "weight": COLOURS["orange"]}
LOWER_LEFT = {"x": 0, "xanchor": "left", "y": 0, "yanchor": "bottom"}
POINTS = 2000  # samples that the page draws; the table has all


class Outcome(NamedTuple):
    """What became of a measure: a table, or why there is none."""

    name: str
    table: pd.DataFrame | None
    reason: str


def panel(outcome: Outcome) -> Panel:
    """Return the panel of a measure: its figure and numbers, or why it was not measured."""
    title = TITLES[outcome.name]
    if outcome.table is None:
        return Panel(title, f"This was not measured: {outcome.reason}.")
    description, figure = _DRAWN[outcome.name](outcome.table)
    return Panel(title, description, figure, outcome.table, wide=outcome.name == "gradients")


def _line(x: object, y: object, colour: str, name: str = "", **look: object) -> dict[str, Any]:
    width = look.pop("width", 1.8)
    line = {"color": colour, "width": width, "dash": look.pop("dash", "solid")}
    return {
        "type": "scatter", "mode": "lines", "x": np.asarray(x), "y": np.asarray(y), "name": name,
        "line": line, "marker": {"color": colour}, "showlegend": bool(name), **look,
    }  # fmt: skip


def _bars(errors: pd.Series, colour: str) -> dict[str, Any]:
    values = errors.where(np.isfinite(errors), 0).to_numpy()
    return {"type": "data", "array": values, "color": colour, "thickness": 1, "width": 3}


def _layout(x: str, y: str, **more: object) -> dict[str, Any]:
    """Return a layout with the legend in the upper right corner, unless it is given a place."""
    legend = {"orientation": "v", "x": 1, "xanchor": "right", "y": 1, "yanchor": "top"}
    legend |= more.pop("legend", {})
    axes = {"xaxis": {"title": x, **more.pop("xaxis", {})}}
    axes["yaxis"] = {"title": y, **more.pop("yaxis", {})}
    return {"showlegend": True, "height": 320, "legend": legend, **axes, **more}


def _sites(count: int) -> dict[str, Any]:
    ticks = {"tickmode": "linear", "tick0": 1, "dtick": 1 + count // 13}
    return {**ticks, "range": [0.7, count + 0.3]}


def _named(row: pd.Series) -> str:
    return f"site {row['site']} ({row['name']}, {row['function']})"


def _number(value: float, error: float) -> str:
    """Return a number with its error, to the error's first digits."""
    if not np.isfinite([value, error]).all():
        return f"{value:.2f}"
    digits = 3 if 0 < error < 0.01 else 2
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")


def _gradients(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    mean = table[table["class"] == -1]
    most, least = (mean.loc[place] for place in (mean["g"].idxmax(), mean["g"].idxmin()))
    words = (
        "g is 0 where a class has no place in the order of a unit's local fields, and highest "
        f"where it gathers at the top. Here it is highest at {_named(most)}, "
        f"{_number(most['g'], most['error'])}, and lowest at {_named(least)}, "
        f"{_number(least['g'], least['error'])}. Bars are standard errors over samples; thin "
        "lines are classes."
    )
    data = []
    for k in sorted(set(table["class"]) - {-1})[:20]:
        rows = table[table["class"] == k]
        colour = CLASS_COLOURS[k % len(CLASS_COLOURS)]
        shown = {"width": 0.8, "hovertemplate": f"class {k}, site %{{x}}: g = %{{y:.2f}}"}
        data.append(_line(rows["site"], rows["g"], colour, **shown))
    black = COLOURS["black"]
    shown = {"mode": "lines+markers", "error_y": _bars(mean["error"], black)}
    shown["hovertemplate"] = "%{text}: g = %{y:.2f}<extra></extra>"
    shown["text"] = [_named(row) for _, row in mean.iterrows()]
    data.append(_line(mean["site"], mean["g"], black, "mean over classes", **shown))
    place = {"x": 0, "xanchor": "left"}
    sites = _sites(len(mean))
    layout = _layout("site, from input to output", "RPD gradient g", xaxis=sites, legend=place)
    return words, {"data": data, "layout": layout}


def _rank_probability(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    mean = table[table["class"] == -1]
    sites = sorted(mean["site"].unique())
    words = (
        "The density of a class's ranks, mean over classes and units, where r = 0 is the top of "
        "the order. Flat at 1 is no alignment (NPT); the steeper, the more the unit orders "
        "samples by class (OPT). Colours go from the first site, dark, to the last, light."
    )
    data = []
    for site, colour in zip(sites, layer_colours(len(sites)), strict=True):
        rows = mean[mean["site"] == site]
        named = f"site {site}" if site in (sites[0], sites[-1]) or len(sites) < 6 else ""
        hover = f"site {site}, r = %{{x:.2f}}: %{{y:.2f}}<extra></extra>"
        look = {"width": 1.8 if named else 1.0, "hovertemplate": hover}
        data.append(_line(rows["r"], rows["density"], to_hex(colour), named, **look))
    axes = {"yaxis": {"rangemode": "tozero"}, "legend": LOWER_LEFT}
    layout = _layout("rank r", "density p(r)", **axes)
    return words, {"data": data, "layout": layout}


def _pruning(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    rows, full = table.iloc[:-1], table.iloc[-1]
    close = rows[rows["accuracy"] >= full["accuracy"] - full["error"]]["start"]
    missing = sorted(set(rows["start"]) - set(close))
    first = missing[-1] + 1 if missing else 1
    words = (
        "The accuracy if all activations from a site on are replaced by the identity, so that one "
        f"linear map stands for the rest. The network itself reaches {full['accuracy']:.1%} ± "
        f"{full['error']:.1%}. "
    )
    if first <= len(rows):
        words += f"From site {first} on pruning costs no more than this error."
    else:
        words += "Pruning costs more than this error wherever it begins."
    look = {"mode": "lines+markers", "error_y": _bars(rows["error"], COLOURS["red"])}
    look["hovertemplate"] = "from site %{x} (%{text}): %{y:.1%}<extra></extra>"
    look["text"] = rows["name"].tolist()
    data = [
        _line(rows["start"], rows["accuracy"], COLOURS["red"], "pruned", **look),
        _line(
            [1, len(rows)], [full["accuracy"]] * 2, COLOURS["black"], "the network itself",
            dash="dash", width=1.2,
        ),
    ]  # fmt: skip
    percent = {"tickformat": ".0%", "range": [0, 1.02]}
    place = {"y": 0, "yanchor": "bottom"}
    axes = {"xaxis": _sites(len(rows)), "yaxis": percent, "legend": place}
    return words, {"data": data, "layout": _layout("pruned from site", "accuracy", **axes)}


def _projection(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    words = (
        "Each sample where the last site's activations lie in the plane of the two leading "
        "singular vectors of the map to the logits. Classes that lie apart here "
        "are told apart linearly."
    )
    data = []
    for k, rows in table.groupby("label"):
        rows = rows.head(POINTS // table["label"].nunique())
        colour = CLASS_COLOURS[int(k) % len(CLASS_COLOURS)]
        look = {"mode": "markers", "marker": {"color": colour, "size": 4, "opacity": 0.7}}
        look["hovertemplate"] = f"class {k}<extra></extra>"
        data.append(_line(rows["coordinate_1"], rows["coordinate_2"], colour, f"{k}", **look))
    place = {"x": 1.02, "xanchor": "left", "y": 0.9}
    return words, {"data": data, "layout": _layout("h₁", "h₂", legend=place)}


def _noise_accuracy(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    words = (
        "The accuracy with noise on the samples, in units of their range, and on the weights, in "
        "standard deviations of each weight matrix. Where it falls below 50 % the basin ends."
    )
    if (table[table["amplitude"] == 0]["accuracy"] < 0.5).all():
        words += " Without noise it is below 50 % already."
    amplitudes = sorted(set(table["amplitude"]))
    # An axis of powers of two has no place for 0: it stands left of the smallest amplitude.
    zero = amplitudes[1] / 2 if len(amplitudes) > 1 else 0.5
    ticks = [a for a in (0.03, 0.1, 0.3, 1, 3, 10) if zero * 1.5 < a < 1.2 * amplitudes[-1]]
    data = []
    for space, rows in table[table["class"] == -1].groupby("space"):
        rows = rows.assign(place=rows["amplitude"].clip(lower=zero))
        look = {"text": [f"{a:.3g}" for a in rows["amplitude"]]}
        look |= {"mode": "lines+markers", "error_y": _bars(rows["error"], SPACES[space])}
        look["hovertemplate"] = f"{space}s, a = %{{text}}: %{{y:.1%}}<extra></extra>"
        name = f"noise on {space}s"
        data.append(_line(rows["place"], rows["accuracy"], SPACES[space], name, **look))
    half = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0.5, "y1": 0.5}
    half["line"] = {"color": COLOURS["grey"], "width": 1, "dash": "dot"}
    percent = {"tickformat": ".0%", "range": [0, 1.02]}
    axis = {"type": "log", "tickvals": [zero, *ticks], "ticktext": ["0", *map(str, ticks)]}
    axes = {"xaxis": axis, "yaxis": percent, "legend": LOWER_LEFT}
    layout = _layout("noise a", "accuracy", shapes=[half], **axes)
    return words, {"data": data, "layout": layout}


def _basins(table: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    sizes = []
    for space, rows in table[table["class"] == -1].groupby("space"):
        number = _number(rows["size"].iloc[0], rows["error"].iloc[0])
        sizes.append(f"{number} in {space} space")
    words = (
        "How much noise brings the accuracy of all samples down to 50 %: "
        f"{' and '.join(sizes)}. It is 0 where the accuracy is below 50 % without noise, and inf, "
        "not drawn, where no noise up to 16 brings it down."
    )
    data = []
    for space, rows in table.sort_values("class").groupby("space"):
        rows = rows.assign(size=rows["size"].where(np.isfinite(rows["size"])))
        names = ["all" if k == -1 else f"{k}" for k in rows["class"]]
        look = {"mode": "markers", "error_y": _bars(rows["error"], SPACES[space])}
        look["hovertemplate"] = "class %{x}: %{y:.3f}<extra></extra>"
        look["marker"] = {"color": SPACES[space], "size": 7}
        data.append(_line(names, rows["size"], SPACES[space], f"{space} space", **look))
    sizes = table["size"][np.isfinite(table["size"])]
    range_ = [0, 1.3 * sizes.max() if len(sizes) and sizes.max() > 0 else 1]
    axes = {"xaxis": {"type": "category"}, "yaxis": {"range": range_}}
    place = {"x": 0, "xanchor": "left"}
    layout = _layout("class", "basin size a", legend=place, **axes)
    return words, {"data": data, "layout": layout}


_DRAWN: Mapping[str, Callable[[pd.DataFrame], tuple[str, dict[str, Any]]]] = {
    "gradients": _gradients,
    "rank_probability": _rank_probability,
    "pruning": _pruning,
    "projection": _projection,
    "noise_accuracy": _noise_accuracy,
    "basins": _basins,
}
