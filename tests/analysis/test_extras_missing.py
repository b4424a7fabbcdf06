"""What belongs to an extra says how to install it, where it is missing."""

import importlib
import sys

import pytest
import torch

from netdyn.errors import NetdynError


@pytest.mark.parametrize("extra", ["tensorboard", "lightning"])
def test_a_missing_extra_is_one_line(extra, monkeypatch, tmp_path):
    for name in ("torch.utils.tensorboard", "lightning", "lightning.pytorch.callbacks"):
        monkeypatch.setitem(sys.modules, name, None)
    module = importlib.reload(importlib.import_module(f"netdyn.analysis.{extra}"))
    make, arguments = {
        "tensorboard": lambda: (module.Writer, (tmp_path,)),
        "lightning": lambda: (module.MonitorCallback, (torch.zeros(1, 2), torch.zeros(1))),
    }[extra]()
    with pytest.raises(NetdynError, match=rf'pip install "netdyn\[{extra}\]"'):
        make(*arguments)
