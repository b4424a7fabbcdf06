"""What a monitor measures is what TensorBoard reads: `make test-extras`."""

import math

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.tensorboard import SummaryWriter

import netdyn
from netdyn.analysis.tensorboard import Writer, scalar_name

pytestmark = pytest.mark.extras


@pytest.mark.parametrize("own", [False, True])
def test_scalars_are_the_table(own, tmp_path):
    x, y = torch.rand(30, 5), torch.arange(30) % 3
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3))
    writer = Writer(SummaryWriter(str(tmp_path)) if own else tmp_path)
    monitor = netdyn.Monitor(model, x, y, share=math.inf, writer=writer)
    for step in (3, 8):
        monitor(step)
    writer.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    table = monitor.table
    names = {scalar_name(*pair) for pair in zip(table.quantity, table.site, strict=True)}
    assert {*events.Tags()["scalars"]} == names
    assert names >= {"train_accuracy", "rpd_gradient/site_2"}
    for (quantity, site), rows in table.groupby(["quantity", "site"]):
        scalars = events.Scalars(scalar_name(quantity, site))
        assert [one.step for one in scalars] == [*rows.step] == [3, 8]
        assert [one.value for one in scalars] == pytest.approx([*rows.value], rel=1e-6)
