"""The commands that make the results of a scale without Snakemake, in their order."""

from collections.abc import Iterator, Sequence

from netdyn.plan.targets import Plan
from netdyn.records.files import write_json

__all__ = ["commands", "write_resolved"]


def write_resolved(plan: Plan) -> None:
    """Write the settings of every stage into `plan.settings_folder`, by readable names.

    runs/<run>.json                   of `netdyn train`
    measurements/<table>.json         of `netdyn measure` on a run of one's own
    measurements/<table>/<block>.json of `netdyn measure`: settings and runs
    tables/<table>.json               of `netdyn tabulate`
    kept/<table>.json                 of `netdyn keep`
    figures/<figure>.json             of `netdyn draw` and `netdyn publish`
    claims.json                       of `netdyn score` and `netdyn publish`
    """
    folder = plan.settings_folder
    for run_id in plan.runs:
        plan.run_settings_file(run_id)
    for name, measurement in plan.measurements.items():
        write_json(folder / "measurements" / f"{name}.json", measurement.settings)
        for block in plan.blocks(name):
            path = folder / "measurements" / name / f"{block}.json"
            write_json(path, plan.block_settings(name, block))
        write_json(folder / "tables" / f"{name}.json", plan.table_settings(name))
        write_json(folder / "kept" / f"{name}.json", plan.keep_settings(name))
    for figure in plan.figures():
        write_json(folder / "figures" / f"{figure}.json", plan.figure_settings(figure))
    write_json(folder / "claims.json", plan.claims_settings())


def commands(plan: Plan, figures: Sequence[str], tables: Sequence[str]) -> Iterator[list[str]]:
    """Yield the commands, as words after `netdyn`, from data to committed figures and scorecard.

    Args:
        plan: the scale's, whose settings `write_resolved` has written.
        figures: the figures to draw.
        tables: the tables to make, those of the figures among them.
    """
    yield from _data(plan, tables)
    for run_id in plan.runs_needed(tables):
        yield [
            *("train", f"{plan.settings_folder}/runs/{run_id}.json"),
            *("--data", plan.data_file(run_id), "--output", plan.run_folder(run_id)),
            *("--checkpoints", f"{plan.folder}/checkpoints/{run_id}"),
        ]
    for name in tables:
        yield from _measuring(plan, name)
    for name in tables:
        settings = f"{plan.settings_folder}/tables/{name}.json"
        yield ["tabulate", settings, "--output", f"{plan.folder}/tables/{name}.csv"]
    for name in tables:
        yield from _keeping(plan, name)
    for figure in figures:
        yield [
            *("draw", figure, f"{plan.settings_folder}/figures/{figure}.json"),
            *("--tables", f"{plan.folder}/tables", "--output", f"{plan.folder}/figures/{figure}"),
        ]
    yield [
        *("score", f"{plan.settings_folder}/claims.json", "--claims", str(plan.claims)),
        *("--tables", f"{plan.folder}/tables"),
        *("--output", f"{plan.folder}/claims/claims.csv"),
        *("--page", f"{plan.folder}/claims/claims.md"),
    ]
    yield from _publishing(plan, figures, tables)


def _data(plan: Plan, tables: Sequence[str]) -> Iterator[list[str]]:
    runs = [run for name in tables for run in plan.measurement(name).runs]
    needed = {run.settings["dataset"]: None for run in runs}
    translated = {run.settings["dataset"]: run.data for run in runs if run.settings["translated"]}
    for dataset in needed:
        file = f"{plan.results}/data/{dataset}.safetensors"
        yield ["prepare", dataset, "--output", file]
        if dataset in translated:
            output = f"{plan.results}/data/{translated[dataset]}.safetensors"
            yield ["translate", file, "--output", output]


def _measuring(plan: Plan, name: str) -> Iterator[list[str]]:
    quantity = plan.measurement(name).quantity
    for block in plan.blocks(name):
        settings = f"{plan.settings_folder}/measurements/{name}/{block}.json"
        output = f"{plan.folder}/tables/parts/{name}/{block}.csv"
        yield ["measure", quantity, settings, "--output", output]


def _keeping(plan: Plan, name: str) -> Iterator[list[str]]:
    for block, (part, folders) in plan.keepable(name).items():
        yield [
            *("keep", part, f"{plan.settings_folder}/kept/{name}.json"),
            *(word for folder in folders for word in ("--run", folder)),
            *("--reference", f"{plan.folder}/reference"),
            *("--output", f"{plan.folder}/kept/{name}/{block}.json"),
        ]


def _publishing(plan: Plan, figures: Sequence[str], tables: Sequence[str]) -> Iterator[list[str]]:
    finished = {
        figure: [f"{plan.folder}/figures/{figure}.{ending}" for ending in ("pdf", "png")]
        for figure in figures
    }
    made_from = {figure: plan.figure_tables(figure) for figure in figures}
    settings = {figure: f"figures/{figure}" for figure in figures}
    if set(plan.claim_tables()) <= set(tables):
        finished["claims"] = [f"{plan.folder}/claims/claims.{ending}" for ending in ("csv", "md")]
        made_from["claims"], settings["claims"] = plan.claim_tables(), "claims"
    for name, files in finished.items():
        yield [
            *("publish", name, f"{plan.settings_folder}/{settings[name]}.json"),
            *(word for file in files for word in ("--file", file)),
            *(word for file in plan.table_files(made_from[name]) for word in ("--table", file)),
            *("--reference", f"{plan.folder}/reference"),
            *(("--folder", ".") if name == "claims" else ()),
            *("--output", f"{plan.folder}/published/{name}.json"),
        ]
