"""Pruned networks in ONNX: ONNX Runtime has the logits that they have."""

import numpy as np
import pytest
import torch
from any_network import Convolutions, Transformer, spread_out
from torch import nn

import netdyn

pytestmark = pytest.mark.extras


class Tokens(nn.Module):
    """Tokens, embedded, before a small transformer."""

    def __init__(self):
        super().__init__()
        self.embedding, self.body = nn.Embedding(11, 6), Transformer()

    def forward(self, x):
        return self.body(self.embedding(x))


NETWORKS = {
    "max pooling": (
        lambda: Convolutions("max"),
        lambda stream: torch.rand(5, 2, 8, 8, generator=stream),
    ),
    "tokens": (Tokens, lambda stream: torch.randint(11, (5, 5), generator=stream)),
}


@pytest.mark.parametrize(("name", "start"), [("max pooling", 2), ("tokens", 1)])
def test_a_pruned_network_has_its_logits_in_onnx(name, start, stream, tmp_path):
    import onnxruntime

    make, samples = NETWORKS[name]
    x = samples(stream)
    network = netdyn.read(spread_out(make(), stream), x, not_affine="freeze")
    expected = network.pruned_logits(x, [start])[0]
    program = torch.onnx.export(network.pruned(start), (x,), dynamo=True)
    program.save(tmp_path / "pruned.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "pruned.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert not np.allclose(logits, network.logits(x).numpy(), rtol=1e-2)
    np.testing.assert_allclose(logits, expected.numpy(), rtol=1e-4, atol=1e-4)
