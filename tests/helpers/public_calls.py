"""A small call of every public name, for tests of all of them.

`CALLS` holds by public name a function of a `Subject`, which returns what the call does. A new
public name without one fails `test_public_state.py`.
"""

import copy
import math
from typing import NamedTuple

import torch
from any_network import Wrapped
from torch import Tensor, nn

import netdyn
from netdyn.measures.adversarial import deepfool
from netdyn.measures.basins.sizes import basin_error
from netdyn.measures.cones import basin_overlaps, cone_shapes, cones
from netdyn.measures.distances import nearest_distance
from netdyn.measures.principal_components import principal_components
from netdyn.measures.projections import bottleneck, half_sums, region
from netdyn.networks.jacobian import mean_jacobians, sign_agreement
from netdyn.networks.layers import layers
from netdyn.networks.mlp import MLP
from netdyn.networks.running_statistics import started_from_first_batch
from netdyn.runtime.random_streams import generator


class Subject(NamedTuple):
    """What is measured: a network of three classes, samples in [0, 1], labels, fields, a run."""

    model: nn.Module
    x: Tensor  # (12, 6)
    y: Tensor  # (12,)
    fields: Tensor  # (12, 40)
    signs: Tensor  # (3, 40)
    shares: Tensor  # (3, 12)
    run: object = None


AMPLITUDES = [0.0, 0.3, 1.5]


def subject(model: nn.Module | None = None, run: object = None) -> Subject:
    """Return a subject whose numbers depend on no global state."""
    numbers = generator(0, "public calls")

    def drawn(*shape):
        return torch.rand(shape, generator=numbers, dtype=torch.float32, device="cpu")

    y = torch.arange(12, device="cpu") % 3
    model = batch_norm_network() if model is None else model
    fields, signs = drawn(12, 40), drawn(3, 40) - 0.5
    return Subject(model, drawn(12, 6), y, fields, signs, drawn(3, 12).round(), run)


def batch_norm_network() -> MLP:
    """Return a network in training mode but for one module, with gradients and statistics."""
    numbers = generator(0, "public network")
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        model = MLP([6, 20, 16, 3]).float()
    with torch.no_grad():
        for linear, norm, *_ in layers(model):
            for parameter in linear.parameters():
                parameter.normal_(generator=numbers)
            if norm is not None:
                norm.running_mean.normal_(generator=numbers)
                norm.running_var.uniform_(0.5, 2.0, generator=numbers)
    model.linear1.weight.requires_grad_(False)
    model.linear2.weight.grad = torch.ones_like(model.linear2.weight)
    model.train().norm2.eval()
    return model


def spectral_network() -> nn.Sequential:
    """Return a network in training mode, in which a look at a weight takes a power iteration."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.utils.parametrizations.spectral_norm(nn.Linear(6, 20)),
            nn.Tanh(),
            nn.utils.parametrizations.spectral_norm(nn.Linear(20, 3)),
        ).train()


def _find(of: Subject, space: str) -> object:
    kinds = ("average", "class", "sample")
    # The last class has one sample.
    y = of.y.where(of.y < 2, 0).index_fill(0, torch.tensor([5], device="cpu"), 2)
    return netdyn.find_basins(of.model, of.x, y, space, 2, 0, kinds, smallest=0.25, largest=4.0)


CALLS = {
    # A network of one's own; its constructor is tested apart.
    "MLP": lambda of: MLP.local_fields(of.model, of.x),
    "Monitor": lambda of: _monitored(of),
    "NetdynError": lambda of: str(netdyn.NetdynError("a mistake")),
    "basin_size": lambda of: netdyn.basin_size([0.0, 1.0, 2.0], of.shares.mean(dim=1)),
    "find_basins": lambda of: [_find(of, space) for space in ("sample", "weight")],
    "linear_map": lambda of: netdyn.linear_map(of.model, 1),
    "linear_maps": lambda of: netdyn.linear_maps(of.model),
    "load_model": lambda of: netdyn.load_model(of.run, "last"),
    "local_fields": lambda of: netdyn.local_fields(of.model, of.x),
    "logits": lambda of: netdyn.logits(of.model, of.x, chunk=5),
    "plot": lambda of: _drawn(of),
    "prune": lambda of: netdyn.prune(of.model, 2),
    "rank_probability": lambda of: netdyn.rank_probability(of.fields, of.y, of.signs, 7),
    "rank_statistics": lambda of: netdyn.rank_statistics(of.fields, of.y, of.signs, 7),
    "read": lambda of: _methods(netdyn.read(of.model), of.x),
    "rpd_gradient": lambda of: netdyn.rpd_gradient(of.fields, of.y, of.signs),
    "sample_noise_correct": lambda of: [
        netdyn.sample_noise_correct(of.model, of.x, of.y, AMPLITUDES, 3, 0, noise_return=how)
        for how in ("affine", "clip", "range")
    ],
    "weight_noise_correct": lambda of: netdyn.weight_noise_correct(
        of.model, of.x, of.y, AMPLITUDES, 3, 0
    ),
}

# Other measures, which quantities of the workflow call.
MEASURES = {
    "basin_error": lambda of: basin_error(AMPLITUDES, of.shares, 0),
    "bottleneck": lambda of: bottleneck(of.model, of.x),
    "cones": lambda of: _cones(of),
    "deepfool": lambda of: deepfool(of.model, of.x, iterations=3),
    "mean_jacobians": lambda of: mean_jacobians(of.model, of.x),
    "nearest_distance": lambda of: nearest_distance(of.x[:4], of.x[4:]),
    "principal_components": lambda of: principal_components(of.x).components_.tolist(),
    "region": lambda of: region(of.fields[:, :2]),
    "sign_agreement": lambda of: sign_agreement(of.model, of.x),
    "started_from_first_batch": lambda of: _restarted(of.model),
    "tables": lambda of: _tables(of),
}


def _drawn(of: Subject) -> list:
    """Return the lines of a table of gradients, drawn."""
    axes = netdyn.plot.gradients(netdyn.read(of.model).gradients(of.x, of.y))
    return [[*map(float, line.get_ydata())] for line in axes.get_lines()]


def _cones(of: Subject) -> list:
    measured = cones(of.model, of.x[:3], half_sums, AMPLITUDES, 4, 0)
    pooled = measured.points.flatten(1, 2), *[measured.kept.flatten(1, 2)] * 2
    return [measured, cone_shapes(measured), basin_overlaps(*pooled)]


def _tables(of: Subject) -> list:
    """Return the measures of a network that is traced, in evaluation and in training mode."""
    network = netdyn.read(Wrapped(of.model), of.x, not_affine="freeze")
    training = network.with_batch_statistics(of.x)
    table = network.gradients(of.x, of.y, units=10)
    y = table["g"].tolist(), table["error"].tolist()
    spaces = ["sample"] if network.has_computed_weights else ["sample", "weight"]
    basins = [network.basins(of.x, of.y, space=space, trials=1) for space in spaces]
    return [
        *y, *(basin["size"].tolist() for basin in basins), network.linear_maps(of.x),
        network.local_fields(of.x), training.logits(of.x),
        network.pruning(of.x, of.y)["accuracy"].tolist(),
        network.projection(of.x)["coordinate_1"].tolist(),
    ]  # fmt: skip


def _monitored(of: Subject) -> list:
    """Return what is measured at two calls; nothing but the step differs between them."""
    monitor = netdyn.Monitor(of.model, of.x, of.y, (of.x, of.y), share=math.inf, errors=True)
    monitor(), monitor()
    return [monitor.table["value"].tolist(), monitor.table["error"].tolist()]


def _restarted(model: nn.Module) -> nn.Module:
    after_one_step = copy.deepcopy(model)
    for module in after_one_step.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.num_batches_tracked.fill_(1)
    return started_from_first_batch(model, after_one_step).model


def _methods(network: object, x: Tensor) -> list:
    """Return what the methods of a read network do."""
    training = network.with_batch_statistics(x)
    return [
        network.prepare(x), network.samples(x), [*network.propagate(x)], network.local_fields(x),
        network.logits(x), network.linear_maps(), network.batch_statistics(x),
        network.folded(torch.float64)[0].weight, training.logits(x),
        network.with_affine_tail(1, *network.linear_maps()[0]).model,
    ]  # fmt: skip


def tensors(result: object) -> list[Tensor]:
    """Return all tensors of a result, in their order; numbers as tensors of float64."""
    match result:
        case Tensor():
            return [result]
        case nn.Module():
            return [*result.state_dict().values()]
        case dict():
            return [tensor for part in result.values() for tensor in tensors(part)]
        case list() | tuple():
            return [tensor for part in result for tensor in tensors(part)]
        case int() | float():
            return [torch.tensor(result, dtype=torch.float64, device="cpu")]
    return []


def same_bytes(one: Tensor, other: Tensor) -> bool:
    """Return whether two tensors agree in type, place, shape and every bit."""
    if (one.dtype, one.device, one.shape) != (other.dtype, other.device, other.shape):
        return False
    return one.detach().numpy().tobytes() == other.detach().numpy().tobytes()
