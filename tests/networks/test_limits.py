"""docs/limits.md: every row of its tables is tried, and every number in it is the code's."""

import re
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.testing import assert_close

import netdyn
from netdyn.errors import NetdynError
from netdyn.networks.comparing import COMPARED, TOLERANCES
from netdyn.networks.elementwise import ELEMENTWISE, Gaussian

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/limits.md").read_text(encoding="utf-8")


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Masked(nn.Linear):
    def forward(self, x):
        return nn.functional.linear(x, self.weight.tril(), self.bias)


class Shifted(nn.ReLU):
    def forward(self, h):
        return super().forward(h - 1)


class StaysRandom(nn.Dropout):
    def train(self, mode=True):
        return super().train(True)


class Plain(nn.Linear):
    pass


class Cube(nn.Module):
    def forward(self, h):
        return h**3


class Wrapper(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(6, 4))

    def forward(self, x):
        return self.stack(x)


def own_forward():
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    model[0].forward = lambda x: x
    return model


def hooked(register):
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    getattr(model[1], register)(lambda *_: None)
    return model


def quantised():
    return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(6, 4)), {nn.Linear})


def rows(heading):
    """The rows of the table under a heading, each a list of its cells."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def code(cell):
    (inside,) = re.fullmatch("`(.*)`", cell).groups()
    return inside


READ, REFUSED = rows("Networks that are read"), rows("Networks that are refused")


def test_the_tables_are_found():
    assert len(READ) >= 10
    assert len(REFUSED) >= 25


@pytest.mark.parametrize("row", READ, ids=lambda row: row[0][:60])
def test_a_network_that_is_read_is_the_network(row, stream):
    given = eval(code(row[0]))
    network = netdyn.read(given)
    model = network.model.eval()
    x = torch.rand(9, 6, generator=stream)
    own = model(x.to(network.dtype)).detach()
    assert torch.equal(network.logits(x)[:, -network.outputs :], own)
    assert network.depth == sum(isinstance(module, nn.Linear) for module in model.modules())
    pruned = netdyn.prune(network, network.depth)(x).detach()
    assert_close(pruned, own.float(), rtol=0, atol=0.01)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[0][:60])
def test_a_network_that_is_refused_gets_the_message(row):
    assert len(row) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NetdynError) as refused:
            netdyn.read(eval(code(row[0])))
    assert code(row[2]) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_and_numbers_on_the_page_are_those_of_the_code():
    (names,) = re.findall(r"Elementwise are (.*?)\.\n", PAGE, re.DOTALL)
    written = {*re.split(r",\s|\sand\s", " ".join(names.split()))}
    assert written == {kind.__name__ for kind in ELEMENTWISE} - {Gaussian.__name__}
    assert f"the first {COMPARED} of the\nfirst samples" in PAGE
    tolerances = {row[0]: float(row[1]) for row in rows("What is read is what is run")}
    assert tolerances == {str(dtype).removeprefix("torch."): t for dtype, t in TOLERANCES.items()}


def test_the_readme_names_the_page():
    assert "(docs/limits.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


# What the page's classes stand for: used in its expressions.
assert all((Residual, Masked, Shifted, StaysRandom, Plain, Cube, Wrapper, parametrizations, prune))
