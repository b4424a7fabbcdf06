"""The reference of the tables: which there are, and what their columns hold."""

from pathlib import Path

import yaml
from fill_sources import quantity_names, returned_columns

__all__ = ["page"]

INTRODUCTION = """# Tables

<!-- Written by docs/fill.py from config.yaml and the docstrings of the quantities. -->

Each measurement of `config.yaml` becomes `results/<scale>/tables/<name>.csv`; those of a scale
that was run are committed in `results/<scale>/reference/tables/`. A table is long: one row is one
number, or a few that belong together. The first columns say of which training it is: `run`, then
each swept setting that differs between the trainings, then `seed`. Every other column is
explained here by its quantity. Accuracies and shares lie in [0, 1]; steps are optimizer steps;
noise on samples is in units of the range [0, 1] of the pixels, noise on weights in standard
deviations of the weights. Beside each table lies its record `<name>.csv.json`, which says what it
was made from ([provenance](provenance.md)).

`netdyn.load_model(run_folder, step)` loads the network behind a row; `pandas.read_csv` loads a
table.
"""
HISTORY = (
    "step, epoch, train_loss, test_loss, train_accuracy (training mode), test_accuracy (evaluation "
    "mode), test_accuracy_batch_statistics (the whole test set as one batch in training mode), "
    "weight_norm_1 … weight_norm_L (Frobenius norm of each weight matrix), statistics_distance_1 … "
    "(distance of the running statistics of each batch norm from those of the batch, in standard "
    "deviations)."
)
SCORECARDS = """
## Scorecards

`claims.csv` has a row per claim: id (C01 … C54), figure, section, claim (what the paper says),
paper_value, measured, spread (over seeds), n (training samples), seeds, mode, scale, verdict,
verdict_training (the same in training mode, where it is judged too), seen (one sentence), test
(what was asked).

`readings.csv` has a row per claim, reading and criterion: claim, reading, criterion, verdict,
measured, strength (strong, fair or weak), seen, and the facts that the strength is graded by
([strength](strength.md)): seeds, judged and unjudged (points, pairs or networks), without_a_seed
and moved_thresholds (whether the verdict stays), unequal_training (points between final training
accuracies), p_value, reasons.
"""


def page(root: Path) -> str:
    """Return the page.

    Args:
        root: of the repository.
    """
    measurements = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))[
        "measurements"
    ]
    schema = yaml.safe_load(
        (root / "workflow/schemas/settings.schema.yaml").read_text(encoding="utf-8")
    )
    parts = [INTRODUCTION]
    for quantity in quantity_names(schema):
        names = [name for name, block in measurements.items() if block["quantity"] == quantity]
        columns = HISTORY if quantity == "history" else returned_columns(root, quantity)
        tables = ", ".join(f"`{name}`" for name in names)
        parts.append(f"## {quantity}\n\n**Tables:** {tables}\n\n**Columns:** {columns}\n")
    return "\n".join([*parts, SCORECARDS.lstrip()])
