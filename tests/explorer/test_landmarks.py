"""Moments and phases of a training, against the claims' own thresholds and made-up courses."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from explorer_tables import STEPS, history

from netdyn.claims.kinds import phases
from netdyn.explorer.landmarks import THRESHOLDS, landmarks, phase_course
from netdyn.explorer.sources import Run, Source
from netdyn.explorer.verdicts import claims_of, places
from netdyn.results.verdicts import NOT_TESTED

CLAIMS = yaml.safe_load((Path(__file__).parents[2] / "workflow/claims.yaml").read_text("utf-8"))
RISING, FALLING, FLAT = [1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [0.01, 0.02, 0.03, 0.04]


def test_thresholds_are_the_claims():
    kinds = CLAIMS["kinds"]
    assert THRESHOLDS["accuracy"] == kinds["grokking"]["train_accuracy"]
    for name in ("mean_gradient", "phase_1_rho", "phase_2_rho"):
        assert THRESHOLDS[name] == kinds["phases"][name]
    (c20,) = [row for row in CLAIMS["claims"] if row["id"] == "C20"]
    assert THRESHOLDS["spread_share"] == c20["thresholds"]["spread_share"]


def test_phases_are_those_of_the_claims():
    course = np.array([FLAT, FALLING, [2, 1, 4, 3], RISING, RISING])
    assert phase_course(course) == ["", "I", "", "II", "II"]
    by_claims = phases(course, CLAIMS["kinds"]["phases"])
    assert (by_claims.first, by_claims.second) == (1, 3)


def test_constant_and_missing_gradients_are_in_no_phase():
    assert phase_course(np.array([[1.0, 1.0, 1.0], [np.nan, 1.0, 2.0]])) == ["", ""]


def by_layer(*rows):
    return pd.DataFrame(rows, index=STEPS, columns=range(1, len(rows[0]) + 1))


def test_a_story_has_its_steps():
    close = [2.0, 2.1, 2.2, 9.0]
    story = landmarks(history(seeds=[0]), by_layer(FLAT, FALLING, RISING, close))
    assert (story["train"], story["test"]) == (10, 100)
    assert story["best"] == [100, 0.9]
    assert (story["first"], story["second"]) == ([1, 1], [10, 100])
    # Without the last layer the spread is that of 2, 2.1, 2.2 against that of 1, 2, 3.
    assert story["shares"][0] == pytest.approx(0.1)
    assert story["shares"][1] is None  # one layer has no spread


@pytest.mark.parametrize(
    "gradients", [None, by_layer(*4 * [[1.0, 2.0]]), by_layer(*4 * [[1.0, np.nan, 2.0]])]
)
def test_a_story_without_gradients_has_no_phases(gradients):
    story = landmarks(history(seeds=[0]), gradients)
    assert story["train"] == 10
    assert (story["first"], story["second"], story["shares"]) == (None, None, None)


@pytest.mark.parametrize("losses", [[np.nan] * 4, [2.3, np.nan, np.nan, np.nan]])
def test_a_diverged_run_reaches_nothing_after_it(losses):
    story = landmarks(history(seeds=[0], train_loss=losses), None)
    assert (story["train"], story["test"]) == (None, None)


def test_places_of_claims():
    assert places("Fig. 3a, d") == ["3a", "3d"]
    assert places("Fig. 7e-h") == ["7e", "7f", "7g", "7h"]
    assert places("Fig. 3") == ["3"]
    assert places("Sec. V.A") == ["V.A"]
    assert places("SM") == ["SM"]


def run_named(name):
    table = pd.DataFrame({"run": [name], "seed": [0]})
    return Run(name, 0, {"history": [Source("a", "history", {}, table)]})


def test_a_run_decides_the_claims_of_its_panels():
    claims = pd.DataFrame(
        {
            "id": ["C1", "C2", "C3", "C4"],
            "figure": ["Fig. 3a, d", "Fig. 3", "Fig. 6a-d", "Fig. 3h"],
            **{"claim": "words", "verdict": "reproduced", "measured": ["1", None, "2", "3"]},
        }
    )
    readings = pd.DataFrame(
        [
            ("C1", "frozen", "frozen", "reproduced", "strong"),
            ("C1", "other_one", "frozen", "partly", None),
            ("C1", "third", "other", "partly", "weak"),
            ("C1", "fourth", "frozen", NOT_TESTED, None),
        ],
        columns=["claim", "reading", "criterion", "verdict", "strength"],
    )
    tables = {"claims": claims, "readings": readings}
    ids = {
        name: [c["id"] for c in claims_of(run_named(name), tables)]
        for name in ("deep10_adam", "deep10_sgd_fast", "deep23", "mine")
    }
    assert ids == {
        "deep10_adam": ["C1", "C2"],
        "deep10_sgd_fast": ["C2"],
        "deep23": ["C2", "C3", "C4"],
        "mine": [],
    }
    first, second = claims_of(run_named("deep10_adam"), tables, {"frozen": "the frozen reading"})
    assert first["readings"] == [
        {"name": name, "verdict": verdict, "strength": strength, "measured": ""}
        for name, verdict, strength in (
            ("the frozen reading", "reproduced", "strong"),
            ("other one", "partly", ""),
        )
    ]
    assert second["measured"] == ""
    assert claims_of(run_named("deep23"), {}) == []
