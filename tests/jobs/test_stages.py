"""Every stage by itself, from data to committed figures and scorecard, without Snakemake."""

import shlex
from collections import Counter
from pathlib import Path

import pytest

from netdyn import cli

ROOT = Path(__file__).parents[2]
SETTINGS = ("--workflow", str(ROOT), "--configfile", str(ROOT / "tests" / "workflow_tiny.yaml"))
# Figures without runs, of one run, and a table of samples alone.
NAMES = ("fig1", "fig7", "grokking_test_distance")
DEMO = Path("results/demo")


def netdyn(*words: str) -> None:
    """Run one command in this process; a mistake is an exception."""
    cli.app(list(words), standalone_mode=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which every command that `netdyn resolve` lists has run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("stages"))
        patch.setenv("NETDYN_DEVICE", "cpu")
        netdyn("resolve", *SETTINGS, "--output", "settings", "--tables", ",".join(NAMES))
        for command in commands(Path("settings")):
            netdyn(*command)
        yield Path.cwd()


def commands(settings: Path) -> list[list[str]]:
    lines = map(shlex.split, (settings / "commands.sh").read_text().splitlines())
    return [words[1:] for words in lines if words and words[0] == "netdyn"]


def test_the_commands_are_those_of_the_chosen_tables(folder):
    stages = Counter(words[0] for words in commands(folder / "settings"))
    assert list(stages) == [
        *("prepare", "train", "measure", "tabulate", "keep", "draw", "score", "publish")
    ]
    assert (stages["train"], stages["draw"], stages["publish"]) == (1, 2, 2)
    assert (
        stages["tabulate"] == stages["keep"] == len(list((folder / DEMO / "tables").glob("*.csv")))
    )


def test_figures_and_tables_are_those_of_netdyn_run(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    netdyn("run", *SETTINGS, "--tables", ",".join(NAMES), "--device", "cpu")
    names = [path.name for path in (folder / DEMO / "tables").glob("*.csv")]
    assert len(names) > 8
    for name in names:
        content = (DEMO / "reference" / "tables" / name).read_bytes()
        assert (folder / DEMO / "tables" / name).read_bytes() == content
        assert (folder / DEMO / "reference" / "tables" / name).read_bytes() == content
    for figure in ("fig1", "fig7"):
        settings = folder / "settings" / "figures" / f"{figure}.json"
        tables = ("--tables", str(DEMO / "reference" / "tables"))
        netdyn("draw", figure, str(settings), *tables, "--output", figure)
        for ending in ("png", "pdf"):
            drawn = Path(f"{figure}.{ending}").read_bytes()
            assert (folder / DEMO / "figures" / f"{figure}.{ending}").read_bytes() == drawn
            published = folder / DEMO / "reference" / "figures" / f"{figure}.{ending}"
            assert published.read_bytes() == drawn
    scored = ("--output", "claims.csv", "--page", "claims.md")
    claims = ("--claims", str(ROOT / "workflow" / "claims.yaml"))
    netdyn("score", str(folder / "settings" / "claims.json"), *claims, *tables, *scored)
    assert (folder / DEMO / "claims" / "claims.csv").read_bytes() == Path("claims.csv").read_bytes()
