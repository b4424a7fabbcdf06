"""Claims on small g say its error over samples where it was measured, and judge as without."""

import math

import pandas as pd
import pytest
from claim_judging import outcome
from claim_tables import judge, make_shallow
from grokking_tables import tables as grokking_tables

from netdyn.claims.gradient_errors import error_of
from netdyn.claims.shallow_grokking import CLAIMS


def test_the_largest_error_of_the_rows_is_said():
    rows = pd.DataFrame({"gradient": [0.1, 0.2, 0.3], "error": [0.01, 0.0123, math.nan]})
    assert error_of(rows, "g") == " (error of g over samples up to 0.012)"
    assert error_of(rows[["gradient"]], "g") == ""
    assert error_of(rows.assign(error=math.nan), "g") == ""


def test_the_first_g_of_c06_has_its_error():
    tables = make_shallow()
    plain = judge("C06", tables)
    gradient = tables["shallow_gradient"]
    first = (gradient["step"] == 0) & (gradient["activation"] == "tanh")
    error = first.map({True: 0.02, False: 5.0})
    found = judge("C06", {**tables, "shallow_gradient": gradient.assign(error=error)})
    said = " (error of the first g over samples up to 0.02)"
    assert found == plain._replace(measured=plain.measured + said)


@pytest.mark.parametrize("early", [0.03, 0.4])
def test_the_g_before_grokking_of_c44_has_its_error(early):
    tables = grokking_tables()
    tables = {name: tables[name] for name in ("grokking_history", "grokking_gradient")}
    plain = outcome(CLAIMS, "C44", tables)
    gradient = tables["grokking_gradient"]
    error = (gradient["step"] <= 1).map({True: early, False: 0.01})
    found = outcome(CLAIMS, "C44", {**tables, "grokking_gradient": gradient.assign(error=error)})
    said = f" (error of g before over samples up to {early:.2g})"
    assert found == plain._replace(measured=plain.measured + said)
