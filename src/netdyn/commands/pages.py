"""Pages: of a network from a file, of training time, of verdicts."""

from pathlib import Path
from typing import Annotated

import typer

from netdyn.commands.options import Device, Output, Settings
from netdyn.runtime.terminal import message

__all__ = ["analyse", "explore", "judge", "page", "score"]


def analyse(
    model: Annotated[
        str,
        typer.Argument(
            help="FILE.pt2, which torch.export.save writes, or package:factory, whose code is run."
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            help="FILE.npz or FILE.safetensors with arrays x and y, or a data set: digits, mnist, "
            "fashion_mnist, kmnist, cifar10, cifar100, svhn, stl10, usps."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder that is made.")],
    weights: Annotated[
        Path | None, typer.Option(help="Of the factory's module: its state_dict, .safetensors.")
    ] = None,
    level: Annotated[
        str, typer.Option(help="quick, standard or thorough: how much is measured.")
    ] = "standard",
    not_affine: Annotated[
        str,
        typer.Option(help="refuse or freeze: what becomes of max pooling, normalisation, softmax."),
    ] = "refuse",
    seed: Annotated[int, typer.Option(help="Of drawn units and of noise.")] = 0,
    data_root: Annotated[
        Path, typer.Option(envvar="NETDYN_DATA_ROOT", help="Folder with, or for, data sets.")
    ] = Path("data"),
    device: Device = "auto",
) -> None:
    """Measure a network from its file: tables, figures and one page, in a new folder."""
    from netdyn.jobs import analysing

    request = analysing.Request(
        model, data, output, weights, device, level, not_affine, data_root, seed
    )
    if not analysing.analyse(request):
        kept = f"{output} holds what was measured" if output.exists() else "nothing was measured"
        message(f"stopped: {kept}")
        raise SystemExit(130)
    message(f"{output / 'index.html'}: the page, with tables and figures beside it")


def explore(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Run folders, tables, folders of tables, results/SCALE/reference, or files that "
            "monitors saved."
        ),
    ],
    output: Output,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Run to show; may be repeated. Default: those with g over steps."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a page that exists.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Measure g, RPDs and projections of run folders from their snapshots, where no "
            "table has them; tables of them stay beside the page.",
        ),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Prepared data set of the run folders. Default: that in results/data."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Write a page to scrub training time on: accuracies, gradients, basins of some runs."""
    from netdyn.jobs import exploring

    exploring.explore(
        sources, output, run or [], overwrite, measure=measure, data=data, device=device
    )


def score(
    settings: Settings,
    claims: Annotated[Path, typer.Option(help="The claims and their thresholds.")],
    tables: Annotated[Path, typer.Option(help="Folder of the tables.")],
    output: Annotated[Path, typer.Option(help="The scorecard, CSV.")],
    page: Annotated[Path, typer.Option(help="The scorecard as a page, Markdown.")],
) -> None:
    """Judge every claim of the paper from tables: the scorecard."""
    from netdyn.jobs import scoring

    scoring.score_claims(settings, claims, tables, output, page)


def judge(
    settings: Settings,
    claims: Annotated[Path, typer.Option(help="The claims and their criteria.")],
    output: Annotated[Path, typer.Option(help="A row per claim, reading and criterion, CSV.")],
    page: Annotated[Path, typer.Option(help="What the verdicts say, Markdown.")],
) -> None:
    """Judge the paper's claims under every reading of it."""
    from netdyn.jobs import scoring

    scoring.judge_readings(settings, claims, output, page)


def page(
    kind: Annotated[str, typer.Argument(help="claims or runs.")],
    files: Annotated[
        list[Path], typer.Argument(help="The scorecard, or provenance.json of runs and runs.json.")
    ],
    output: Output,
) -> None:
    """Write a page of the report: the scorecard, or the provenance of every run."""
    from netdyn.jobs import reporting

    reporting.write_page(kind, files, output)
