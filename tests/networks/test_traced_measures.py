"""Every measure of the library takes a traced network, on the CPU and on a pretended GPU."""

import pytest
import torch
from any_network import Convolutions, spread_out
from pretended_gpu import pretended_gpu
from torch.testing import assert_close
from torch.utils._pytree import tree_map_only

import netdyn
from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.measures.cones import cones
from netdyn.measures.projections import bottleneck, half_sums
from netdyn.networks.jacobian import mean_jacobians, sign_agreement
from netdyn.networks.running_statistics import started_from_first_batch
from netdyn.networks.training_mode import training_mode_logits

WEIGHT = {"space": "weight", "trials": 1, "by_class": False}


def table(frame):
    return torch.tensor(frame.select_dtypes("number").to_numpy(float, copy=True))


def first_batch(network, x, y):
    after = network.model
    for module in after.modules():
        if hasattr(module, "num_batches_tracked"):
            module.num_batches_tracked.fill_(1)
    return started_from_first_batch(network, network).logits(x)


# Each returns tensors.
MEASURES = {
    "logits": lambda n, x, y: netdyn.logits(n, x),
    "local fields": lambda n, x, y: netdyn.local_fields(n, x),
    "linear maps": lambda n, x, y: n.linear_maps(x),
    "linear map": lambda n, x, y: netdyn.linear_map(n, 1),
    "jacobians": lambda n, x, y: mean_jacobians(n, x, chunk=5),
    "sign agreement": lambda n, x, y: sign_agreement(n, x),
    "deepfool": lambda n, x, y: deepfool(n, x, iterations=3)[:2],
    "cones": lambda n, x, y: [*cones(n, x[:2], half_sums, [0.1, 0.5], 3, 0)],
    "bottleneck": lambda n, x, y: bottleneck(n, x),
    "sample noise": lambda n, x, y: netdyn.sample_noise_correct(n, x, y, [0.0, 0.5], 2, 0),
    "weight noise": lambda n, x, y: netdyn.weight_noise_correct(n, x, y, [0.0, 0.5], 2, 0),
    "basins": lambda n, x, y: table(n.basins(x, y, trials=1, by_class=False)),
    "weight basin": lambda n, x, y: table(n.basins(x, y, **WEIGHT)),
    "gradients": lambda n, x, y: table(n.gradients(x, y, units=9)),
    "rank probability": lambda n, x, y: table(n.rank_probability(x, y, units=9, bins=3)),
    "pruning": lambda n, x, y: table(n.pruning(x, y)),
    "noise accuracy": lambda n, x, y: table(n.noise_accuracy(x, y, amplitudes=[0, 1], trials=1)),
    "projection": lambda n, x, y: table(n.projection(x)),
    "pruned": lambda n, x, y: n.pruned(2)(x).detach(),
    "training mode": lambda n, x, y: n.with_batch_statistics(x).logits(x),
    "training mode logits": lambda n, x, y: training_mode_logits(n.network, x),
    "first-batch statistics": first_batch,
}


def test_one_linear_layer_for_the_rest_is_refused(stream):
    network = netdyn.read(Convolutions(), torch.rand(2, 2, 8, 8, generator=stream))
    with pytest.raises(NetdynError, match=r"\.pruned\(2\) is its module") as refused:
        netdyn.prune(network, 2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", [*MEASURES])
def test_a_traced_network_is_measured_alike_on_a_pretended_gpu(name, stream, monkeypatch):
    model = spread_out(Convolutions("max"), stream)
    images, y = torch.rand(8, 2, 8, 8, generator=stream), torch.arange(8) % 4

    def measured(device):
        network = netdyn.read(model.to(device), images[:3].to(device), not_affine="freeze")
        result = MEASURES[name](network, images.to(device), y.to(device))
        return tree_map_only(torch.Tensor, lambda one: one.cpu(), result)

    expected = measured("cpu")
    with pretended_gpu(monkeypatch):
        result = measured("cuda")
    assert_close(result, expected, rtol=1e-4, atol=1e-5, equal_nan=True)
