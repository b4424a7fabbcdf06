"""The explorer of the committed tables, as a browser shows it."""

import io
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from netdyn.explorer.encoding import LEVELS
from netdyn.explorer.explorer import LARGEST, write_explorer

pytestmark = pytest.mark.browser
REFERENCE = Path(__file__).parents[2] / "results" / "cpu" / "reference"
DEEP, SHALLOW = "deep23/0", "grokking/0"
FIVE = [0, 10, 17, 31, 100]


@pytest.fixture(scope="module")
def explorer(tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    write_explorer(path, [REFERENCE])
    assert path.stat().st_size <= LARGEST
    return path


def rows(name, run):
    table = pd.read_csv(REFERENCE / "tables" / f"{name}.csv")
    name, seed = run.split("/")
    return table[(table["run"] == name) & (table["seed"] == int(seed))]


def close(plotted, values, column):
    """Return whether plotted numbers are those of a table within 16 bits of the column's range."""
    step = (column.max() - column.min()) / LEVELS
    return np.allclose(np.asarray(plotted, dtype=float), values, rtol=0, atol=0.51 * step + 1e-9)


def plotted(page, panel, run=DEEP):
    """Return the traces that a panel shows, their arrays as lists."""
    return page.evaluate(
        """([panel, run]) => {
          const plots = document.querySelectorAll(
            `[data-panel="${panel}"][data-run="${run}"] .plot`);
          const shown = [...plots].find((plot) => !plot.hidden);
          const list = (values) => (values === undefined ? null : Array.from(values));
          return shown.data.map(({ x, y, name, customdata, error_y }) =>
            ({ x: list(x), y: list(y), name, steps: list(customdata),
               above: list(error_y?.array), below: list(error_y?.arrayminus) }));
        }""",
        [panel, run],
    )


def ready(page, panel, run=DEEP):
    page.locator(f'[data-panel="{panel}"][data-run="{run}"]').scroll_into_view_if_needed()
    page.wait_for_selector(f'[data-panel="{panel}"][data-run="{run}"] .plot .main-svg')


def until(page, expression):
    """Wait until an expression is true; the page's own policy forbids Playwright's waiting."""
    for _ in range(200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never true: {expression}")


def step_of(page):
    return int(page.locator("#shown").inner_text().split(" of ")[0].replace(",", ""))


@pytest.mark.parametrize("step", FIVE)
def test_what_is_plotted_is_what_the_tables_hold(opened, explorer, step):
    history = rows("deep23_history", DEEP)
    gradient = rows("deep23_gradient", DEEP)
    gradient = gradient[(gradient["mode"] == "evaluation") & (gradient["class"] == -1)]
    with opened(explorer, f"#run={DEEP}&step={step}", size=(1280, 2200)) as page:
        for panel in ("accuracies", "gradients", "profile", "distance"):
            ready(page, panel)
        assert step_of(page) == step
        columns = ["train_accuracy", "test_accuracy_batch_statistics", "test_accuracy"]
        for trace, column in zip(plotted(page, "accuracies"), columns, strict=True):
            assert trace["steps"] == history["step"].tolist()
            assert close(trace["y"], history[column], history[column])
        lines = plotted(page, "gradients")
        assert len(lines) == 22
        for layer, trace in enumerate(lines, start=1):
            expected = gradient[gradient["layer"] == layer]
            assert trace["steps"] == expected["step"].tolist()
            assert close(trace["y"], expected["gradient"], gradient["gradient"])
        (profile,) = plotted(page, "profile")
        expected = gradient[gradient["step"] == step].sort_values("layer")
        assert profile["x"] == expected["layer"].tolist()
        assert close(profile["y"], expected["gradient"], gradient["gradient"])
        distances = history.filter(like="statistics_distance_")
        for number, trace in enumerate(plotted(page, "distance"), start=1):
            column = distances[f"statistics_distance_{number}"]
            assert close(trace["y"], column, distances.to_numpy())


def test_the_bars_of_the_profile_are_the_range_over_seeds(opened, explorer):
    table = pd.read_csv(REFERENCE / "tables" / "deep23_gradient.csv")
    table = table[(table["mode"] == "evaluation") & (table["step"] == 10)]
    seeds = table.pivot_table(index="layer", columns="seed", values="gradient")
    with opened(explorer, f"#run={DEEP}&step=10") as page:
        ready(page, "profile")
        (profile,) = plotted(page, "profile")
    assert np.allclose(profile["above"], seeds.max(axis=1) - seeds[0], atol=2e-4)
    assert np.allclose(profile["below"], seeds[0] - seeds.min(axis=1), atol=2e-4)


@pytest.mark.parametrize("step", [100, 15849])
def test_noise_and_basins_are_those_of_the_step(opened, explorer, step):
    noise, basin = rows("grokking_noise", SHALLOW), rows("grokking_sample_basin", SHALLOW)
    with opened(explorer, f"#run={SHALLOW}&step={step}", size=(1280, 2200)) as page:
        ready(page, "noise", SHALLOW)
        curve, *marks = plotted(page, "noise", SHALLOW)
        shown = step_of(page)
    measured = noise[noise["step"] == noise.loc[noise["step"] <= shown, "step"].max()]
    assert close(curve["y"], measured["accuracy"], noise["accuracy"])
    sizes = basin.loc[basin["step"] == measured["step"].iloc[0], "size"]
    assert any(close(mark["steps"], sizes, basin["size"]) for mark in marks)


def test_projections_change_where_they_were_measured(opened, explorer):
    table = rows("deep23_projection", DEEP)
    chosen = table[(table["split"] == "test") & (table["mode"] == "evaluation")]
    with opened(explorer, f"#run={DEEP}&step=40", size=(1280, 2200)) as page:
        for step, moment in ((40, "before"), (200, "after")):
            page.evaluate(f"location.hash = 'run={DEEP}&step={step}'")
            ready(page, "projection")
            until(page, f"document.getElementById('shown').textContent.startsWith({step})")
            crosses = plotted(page, "projection")[3:6]
            for digit, trace in zip((0, 2, 5), crosses, strict=True):
                mine = chosen[(chosen["moment"] == moment) & (chosen["digit"] == digit)][:200]
                assert close(trace["x"], mine["h1"], chosen.loc[chosen["moment"] == moment, "h1"])
            words = page.locator(f'[data-panel="projection"][data-run="{DEEP}"] > p').inner_text()
            assert f"({moment})" in words


def test_slider_and_keys_move_through_training(opened, explorer):
    history = rows("deep23_history", DEEP)["step"].tolist()
    with opened(explorer, f"#run={DEEP}&step=0") as page:
        ready(page, "profile")
        page.locator("body").press("ArrowRight")
        assert step_of(page) == history[1]
        page.keyboard.press("Shift+ArrowRight")
        assert step_of(page) == history[11]
        page.keyboard.press("End")
        assert step_of(page) == history[-1]
        page.keyboard.press("ArrowLeft")
        assert step_of(page) == history[-2]
        page.keyboard.press("Home")
        assert step_of(page) == 0
        page.locator("#step").focus()
        page.keyboard.press("ArrowRight")
        assert step_of(page) == history[1]
        page.locator("#step").fill("20")
        assert step_of(page) == history[20]
        page.keyboard.press("Home")
        page.keyboard.press(" ")
        assert page.locator("#play").inner_text() == "Pause"
        until(page, "parseInt(document.getElementById('shown').textContent) >= 2")
        page.keyboard.press(" ")
        assert page.locator("#play").inner_text() == "Play"
        rested = step_of(page)
        page.wait_for_timeout(300)
        assert step_of(page) == rested
        page.get_by_role("button", name="test 80 %: 31").click()
        assert step_of(page) == 31
        until(page, "document.getElementById('story').textContent.includes('phase II')")


def test_a_link_keeps_the_state(opened, explorer):
    with opened(explorer) as page:
        page.select_option("#run", SHALLOW)
        page.select_option("#beside", DEEP)
        page.select_option("#mode", "training")
        page.select_option("#layer", "2")
        page.keyboard.press("Escape")
        page.locator("#step").fill("30")
        step = step_of(page)
        for part in ("mode=training", "layer=2", f"step={step}"):
            until(page, f"location.hash.includes('{part}')")
        address = page.evaluate("location.hash")
    with opened(explorer, address) as page:
        values = [
            page.locator(f"#{name}").input_value() for name in ("run", "beside", "mode", "layer")
        ]
        assert values == [SHALLOW, DEEP, "training", "2"]
        assert step_of(page) == step
        assert page.locator("[data-panel=accuracies]").count() == 2


@pytest.mark.parametrize("address", ["#run=none/9&step=x", "#step=99999999&mode=both", "#layer=70"])
def test_a_wrong_link_opens_the_page_all_the_same(opened, explorer, address):
    with opened(explorer, address) as page:
        ready(page, "accuracies")
        assert page.locator("#run").input_value() == DEEP


@pytest.mark.parametrize(
    ("panel", "table", "column"),
    [
        ("gradients", "deep23_gradient", "gradient"),
        ("accuracies", "deep23_history", "test_accuracy"),
    ],
)
def test_each_panels_data_are_downloaded(opened, explorer, panel, table, column):
    expected = rows(table, DEEP)
    if "mode" in expected:
        expected = expected[expected["mode"] == "evaluation"].sort_values(["step", "layer"])
    with opened(explorer, f"#run={DEEP}&step=10") as page:
        ready(page, panel)
        with page.expect_download() as waiting:
            page.locator(f"[data-panel={panel}] .download").click()
        assert waiting.value.suggested_filename == f"deep23-seed-0-{panel}.csv"
        saved = pd.read_csv(io.StringIO(Path(waiting.value.path()).read_text()))
    assert saved["step"].tolist() == expected["step"].tolist()
    # A CSV has six digits.
    assert close(saved[column], expected[column], expected[column] * 1.5)


def test_numbers_of_the_step_are_shown_as_text(opened, explorer):
    with opened(explorer, f"#run={DEEP}&step=10") as page:
        ready(page, "profile")
        for panel, rows_shown in (("profile", 22), ("accuracies", 1)):
            page.locator(f"[data-panel={panel}] summary").click()
            page.wait_for_selector(f"[data-panel={panel}] tbody tr")
            assert page.locator(f"[data-panel={panel}] tbody tr").count() == rows_shown


def test_a_panel_without_a_table_says_so(opened, explorer):
    with opened(explorer, "#run=deep10_sgd/0") as page:
        missing = page.locator(".missing").all_inner_texts()
    assert any("No table holds projections of this run." in text for text in missing)


def test_a_fresh_reader_sees_where_the_test_accuracy_follows_and_which_seed_has_phase_3(
    opened, explorer
):
    with opened(explorer) as page:
        assert page.locator("#run").input_value() == DEEP
        assert step_of(page) == 31  # where the page opens
        until(
            page, "document.getElementById('story').textContent.includes('higher in deep layers')"
        )
        cells = page.locator("#seeds tbody tr").all()
        thirds = [row.locator("td").last.inner_text() for row in cells]
    assert thirds == ["but for the last three layers", "no", "but for the last three layers"]


def test_times_are_left_beside_the_pictures(opened, explorer, pictures):
    """No limit is set here: what else the machine does would decide."""
    with opened(explorer, f"#run={DEEP}&step=0") as page:
        ready(page, "profile")
        page.wait_for_timeout(500)
        load = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        clock = processor_seconds(page)
        before = clock()
        walls = page.evaluate(MOVES)
        step = 1000 * (clock() - before) / len(walls)
    wall = statistics.median(walls)
    text = f"load {load / 1000:.2f} s; a step {wall:.1f} ms, {step:.1f} ms of the main thread\n"
    (pictures / "times.txt").write_text(text)
    assert len(walls) == 50
    assert min(walls) > 0


def processor_seconds(page):
    """Return a clock of the page's main thread: other work on the machine does not count."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    session.send("Performance.enable")

    def clock():
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    return clock


# From the key to where the browser has laid out the page anew.
MOVES = """async () => {
  const times = [];
  for (let i = 0; i < 50; i++) {
    const started = performance.now();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    document.body.getBoundingClientRect();
    times.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return times;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800])
def test_pictures_are_left_to_be_judged(opened, explorer, pictures, width, scheme):
    for name, address in (("deep23", f"#run={DEEP}"), ("beside", f"#run={DEEP}&beside={SHALLOW}")):
        with opened(explorer, address, size=(width, 3000), scheme=scheme) as page:
            ready(page, "accuracies")
            page.wait_for_timeout(300)
            page.screenshot(path=pictures / f"explorer-{name}-{width}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.dataset.theme") == scheme
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_switch_turns_the_colours(opened, explorer):
    with opened(explorer) as page:
        ready(page, "accuracies")
        page.get_by_role("button", name="Switch to dark colours").click()
        ready(page, "accuracies")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
