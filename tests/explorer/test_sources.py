"""Which runs an explorer shows, and what it reads of them."""

import json

import numpy as np
import pandas as pd
import pytest
from explorer_tables import STEPS, basin, gradient, history, run_folder, written

from netdyn.errors import NetdynError
from netdyn.explorer.encoding import unpack
from netdyn.explorer.payload import payload, thinned
from netdyn.explorer.sources import choose_runs, gather_runs, read_sources, verdict_tables


def runs_in(*paths):
    return gather_runs(read_sources(paths))


def test_tables_are_told_apart_by_their_columns_and_put_together_by_run(tmp_path):
    folder = written(tmp_path, a=history(), b=gradient(), c=basin(), d=pd.DataFrame({"x": [1]}))
    runs = runs_in(folder)
    assert [(run.name, run.seed) for run in runs] == [("deep", 0), ("deep", 1), ("deep", 2)]
    assert [sorted(run.parts) for run in runs] == [["basin", "gradient", "history"]] + 2 * [
        ["gradient", "history"]
    ]


def test_swept_values_are_part_of_a_runs_name(tmp_path):
    table = history(seeds=[0])
    table.insert(1, "activation", "tanh")
    table.insert(2, "learning_rate", 0.030)
    (run,) = runs_in(written(tmp_path, a=table))
    assert (run.name, run.group) == ("deep_activation-tanh_learning_rate-0.03", "deep")


def test_a_run_folder_and_tables_of_it_are_one_run(tmp_path):
    folder = run_folder(tmp_path / "runs" / "deep_seed-3-0123456789")
    tables = written(tmp_path / "tables", b=gradient(seeds=[3, 4]), a=history(seeds=[3, 4]))
    chosen = choose_runs(runs_in(tables, folder))
    assert [(run.name, run.seed) for run in chosen] == [("deep", 3)]
    assert {*chosen[0].parts} == {"history", "gradient"}


def test_shown_are_runs_with_gradients_over_steps_unless_others_are_named(tmp_path):
    best = gradient("wide")
    folder = written(
        tmp_path, a=history(), b=gradient(), c=history("wide"), d=best[best["step"] == 100]
    )
    runs = runs_in(folder)
    assert {run.name for run in choose_runs(runs)} == {"deep"}
    assert {run.name for run in choose_runs(runs, ["wide"])} == {"wide"}
    only = written(tmp_path / "other", c=history("wide"))
    assert len(choose_runs(runs_in(only))) == 3


@pytest.mark.parametrize("name", ["shallow", "deep_seed-0"])
def test_an_unknown_run_is_named_with_those_that_are_there(tmp_path, name):
    runs = runs_in(written(tmp_path, a=history()))
    with pytest.raises(NetdynError, match=f"'{name}': choose from deep$"):
        choose_runs(runs, [name])


def test_tables_without_a_history_are_no_runs_to_show(tmp_path):
    with pytest.raises(NetdynError, match="hold no history of a run"):
        choose_runs(runs_in(written(tmp_path, b=pd.DataFrame({"x": [1]}))))


@pytest.mark.parametrize("make", [lambda p: p / "nowhere", lambda p: p, lambda p: p / "notes.txt"])
def test_what_is_no_source_is_named(tmp_path, make):
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(NetdynError, match="results/<scale>/reference, tables or runs"):
        read_sources([make(tmp_path)])


def test_a_run_that_is_not_whole_is_named(tmp_path):
    folder = run_folder(tmp_path / "deep_seed-3-0123456789")
    (folder / "manifest.json").unlink()
    with pytest.raises(NetdynError, match=r"is not whole, manifest.json is missing"):
        read_sources([folder])


@pytest.mark.parametrize("damage", ["a,b\n1,2\n", ""])
def test_a_damaged_table_is_named(tmp_path, damage):
    written(tmp_path, a=history())
    (tmp_path / "a.csv").write_text(damage)
    with pytest.raises(NetdynError, match=r"a\.csv is damaged"):
        read_sources([tmp_path])


def test_committed_results_bring_their_verdicts(tmp_path):
    written(tmp_path / "tables", a=history())
    claims = pd.DataFrame({"id": ["C1"], "figure": ["Fig. 3g"], "claim": ["x"], "verdict": ["y"]})
    written(tmp_path, claims=claims)
    assert {*verdict_tables(read_sources([tmp_path]))} == {"claims"}


def test_a_runs_numbers_are_packed(tmp_path):
    folder = written(
        tmp_path, {"settings": {"noise_return": "range"}}, a=history(), b=gradient(), c=basin()
    )
    runs = runs_in(folder)
    content = payload(runs[0], runs)
    assert content["history"]["steps"] == STEPS
    assert np.allclose(unpack(content["history"]["test"]), [0.1, 0.1, 0.2, 0.9], atol=1e-5)
    distances = unpack(content["history"]["distance"]["values"]).reshape(4, 2)
    assert np.allclose(distances[:, 1], [8, 2, 0.2, 0.02], atol=1e-4)
    part = content["gradient"]["evaluation"]
    assert part["layers"] == [1, 2, 3, 4]
    assert np.allclose(unpack(part["values"]).reshape(4, 4)[3], [1, 2, 3, 4], atol=1e-4)
    (size,) = content["basin"]
    assert size["endless"] == [False, False, True, False]
    assert size["noise_return"] == "range"
    json.dumps(content, allow_nan=False)
    assert "rpd" not in content
    assert "projection" not in content


def test_errors_of_gradients_are_over_classes_where_they_were_measured(tmp_path):
    folder = written(tmp_path, a=history(), b=gradient(classes=(1, 3)))
    runs = runs_in(folder)
    part = payload(runs[0], runs)["gradient"]["evaluation"]
    assert part["of"] == "the standard error over classes"
    # Classes have one and three times g: their standard error is g.
    high = unpack(part["high"]).reshape(4, 4)[3] - [1, 2, 3, 4]
    assert np.allclose(high, [1, 2, 3, 4], atol=1e-3)


def test_errors_of_gradients_are_else_over_seeds_and_one_seed_has_none(tmp_path):
    runs = runs_in(written(tmp_path, a=history(), b=gradient()))
    part = payload(runs[1], runs)["gradient"]["evaluation"]
    assert part["of"] == "the range over 3 seeds"
    values, low, high = (unpack(part[name]) for name in ("values", "low", "high"))
    assert np.allclose(values - low, 1, atol=1e-3)
    assert np.allclose(high - values, 1, atol=1e-3)
    assert "of" not in payload(runs[1], [runs[1]])["gradient"]["evaluation"]


@pytest.mark.parametrize("at", [1, 3])
def test_a_diverged_run_says_at_which_step(tmp_path, at):
    losses = [2.3, 1.0, 0.5, 0.1]
    losses[at:] = [np.nan] * (4 - at)
    runs = runs_in(written(tmp_path, a=history(train_loss=losses)))
    content = payload(runs[0], runs)
    assert content["diverged"] == STEPS[at]
    json.dumps(content, allow_nan=False)


def test_thinned_runs_keep_their_first_and_last_step(tmp_path):
    (run, *_) = runs_in(written(tmp_path, a=history(), b=gradient()))
    coarse = thinned(run, 2)
    assert coarse.first("history")["step"].tolist() == [0, 10, 100]
    assert sorted(set(coarse.first("gradient")["step"])) == [0, 10, 100]
    assert thinned(run, 1).first("history").equals(run.first("history"))
