"""The front page of the report, rendered as Snakemake does, from stand-ins for its results."""

import re
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
from docutils.core import publish_parts

REPORT = Path(__file__).parents[2] / "workflow/report"
LINKS = "\n\n.. _Statistics: javascript:show_panel('statistics')\n"  # Snakemake adds them


def rendered(text, **context):
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    return publish_parts(environment.from_string(text + LINKS).render(context), writer="html")


def caption(figure, scale):
    wildcards = SimpleNamespace(figure=figure, scale=scale)
    text = (REPORT / "captions.rst").read_text(encoding="utf-8")
    return rendered(text, snakemake=SimpleNamespace(wildcards=wildcards))["body"]


def front_page(tmp_path, *targets):
    (tmp_path / "claims.html").write_text("<style>x</style>\n<h1>Scorecard</h1>\n<table></table>\n")
    files = [
        SimpleNamespace(
            target=target,
            path=tmp_path / target,
            caption=f"<p>Caption of\n{target}</p>",
            job=SimpleNamespace(rule=SimpleNamespace(name=rule)),
        )
        for target, rule in targets
    ]
    multiverse = any(target == "multiverse.png" for target, _ in targets)
    return rendered(
        (REPORT / "workflow.rst").read_text(encoding="utf-8"),
        snakemake=SimpleNamespace(config={"scale": "cpu"}),
        files=files,
        categories=[SimpleNamespace(name="Multiverse" if multiverse else "Scorecard")],
    )["html_body"]


@pytest.mark.parametrize("multiverse", [False, True])
def test_figures_come_first_in_the_papers_order_then_multiverse_and_verdicts(multiverse, tmp_path):
    targets = [("claims.html", "page_claims"), ("supplement.png", "draw_figure")]
    targets += [("fig7.png", "draw_figure"), ("fig1.png", "draw_figure")]
    if multiverse:
        targets.insert(0, ("multiverse.png", "draw_multiverse"))
    page = front_page(tmp_path, *targets)
    assert "system-message" not in page
    shown = ["fig1.png", "fig7.png", "supplement.png", *["multiverse.png"] * multiverse]
    assert re.findall(r'<img alt="(\S+)"', page) == shown
    assert all(f"{name}</p>" in page for name in shown)
    assert page.index("<h1>Scorecard</h1>") > page.index(f"{shown[-1]}</p>")
    assert ("the multiverse, every claim" in page) == multiverse


def test_without_results_there_is_the_text_alone(tmp_path):
    page = front_page(tmp_path)
    assert "<img" not in page
    assert "<strong>cpu</strong>" in page


@pytest.mark.parametrize("scale", ["demo", "cpu", "paper"])
@pytest.mark.parametrize("figure", ["fig2", "fig3", "fig3_training", "fig7", "supplement"])
def test_captions_name_the_scale_that_was_drawn(figure, scale):
    text = caption(figure, scale)
    assert "system-message" not in text
    assert f"Drawn at scale <strong>{scale}</strong>" in text
    assert (f"workflow/scales/{scale}.yaml" in text) == (scale != "paper")
