"""The six examples run, and print what the page of examples shows."""

import re
import runpy
from pathlib import Path

import fill_examples
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NUMBER = re.compile(r"-?\d+\.\d+|nan|NaN")


@pytest.mark.parametrize("name", fill_examples.NAMES)
def test_an_example_prints_what_the_page_shows(name, capsys):
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    shown = (EXAMPLES / f"{name}.txt").read_text(encoding="utf-8")
    # Words are the same; numbers of other machines differ by rounding, which training enlarges.
    assert NUMBER.sub("", printed).split() == NUMBER.sub("", shown).split()
    numbers = [[float(n) for n in NUMBER.findall(text)] for text in (printed, shown)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.1, abs=0.1, nan_ok=True)


def test_examples_are_those_of_the_page_and_short():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*fill_examples.NAMES}
    for name in fill_examples.NAMES:
        assert (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").count("\n") <= 50
