"""The L-maps of a traced network, and whether it has them: what is left must be affine.

A linear pass has every activation the identity, and what is frozen at its state of a true pass.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.folding import wide
from netdyn.networks.inputs import as_layer
from netdyn.networks.kinds import ReadNetwork
from netdyn.networks.traced.passes import Pass
from netdyn.networks.traced.remembered import Products
from netdyn.networks.traced.running import run
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["changes", "chunk_of", "maps", "not_affine_places", "offsets"]

MOST_VALUES = 2**24  # of the widest site in a pass
MOST_SAMPLES = 1000


def chunk_of(network: ReadNetwork) -> int:
    """Return how many samples pass together: one sample of a site may have a million values."""
    return max(1, min(MOST_SAMPLES, MOST_VALUES // max(network.widths())))


@plain_mode
def maps(
    network: ReadNetwork,
    x: Tensor | None = None,
    first: int = 0,
    units: Sequence[Tensor | None] | None = None,
    classes: Tensor | None = None,
    chunk: int | None = None,
) -> list[Tensor]:
    """Return the weights of M_first … M_S, (K, N_s) each, in float32 at least.

    K backward passes serve all sites and, of a frozen network, all samples of a chunk.

    Args:
        x: samples; a frozen network's maps are means over all of them, another's are those of
            the first. None means the example.
        first: the first site, 0 … S.
        units: of every site from `first` on, those whose columns are returned; None means all.
        classes: whose rows are returned; None means all.
    """
    first = as_layer(first, network.depth, "L-maps")
    x = network.prepare(network.example if x is None else x)
    if not len(x):
        raise NetdynError("L-maps of no samples: give at least one")
    x = x if network.is_frozen else x[:1]
    dtype = wide(network.dtype)
    rows = range(network.classes) if classes is None else classes.tolist()
    widths = network.widths()[first:]
    units = [None] * len(widths) if units is None else units
    sums = [
        torch.zeros(
            len(rows), n if u is None else len(u), dtype=torch.float64, device=network.device
        )
        for n, u in zip(widths, units, strict=True)
    ]
    parameters = network.constants(dtype)
    for part in network.in_precision(x, dtype).split(chunk or chunk_of(network)):
        states = network.frozen_states(part, parameters)
        with torch.enable_grad():
            activations, outputs = network.graph(
                part, first, parameters, linear_from=1, frozen=states
            )
        refuse_constant(outputs)
        for row, k in enumerate(rows):
            if network.outputs == 1 and k == 0:
                continue  # the logit 0
            one_logit = torch.zeros_like(outputs)
            one_logit[:, k] = 1
            gradients = torch.autograd.grad(
                outputs, activations, one_logit, retain_graph=True, allow_unused=True
            )
            for total, gradient, chosen in zip(sums, gradients, units, strict=True):
                if gradient is not None:
                    mean = gradient if chosen is None else gradient[:, chosen]
                    total[row] += mean.sum(dim=0, dtype=torch.float64)
    return [(total / len(x)).to(dtype) for total in sums]


def refuse_constant(outputs: Tensor) -> None:
    if not outputs.requires_grad:
        raise NetdynError(
            "with activations the identity and all else frozen the outputs do not depend on "
            "the samples: remove a softmax at the end, the measurements need the logits"
        )


@plain_mode
def offsets(
    network: ReadNetwork, x: Tensor | None = None, first: int = 0, chunk: int | None = None
) -> list[Tensor]:
    """Return the offsets of M_first … M_S, (P, K) each: the logits where x^(s) is 0.

    Later activations are the identity, earlier ones act as they do: what skip connections carry
    past the site is in the offset. Args: as for `maps`, but every sample has its own offset.
    """
    first = as_layer(first, network.depth, "L-maps")
    x = network.prepare(network.example if x is None else x)
    dtype = wide(network.dtype)
    parameters = network.constants(dtype)
    by_site: list[list[Tensor]] = [[] for _ in range(first, network.depth)]
    for part in network.in_precision(x, dtype).split(chunk or chunk_of(network)):
        states = network.frozen_states(part, parameters)
        products = Products()
        for site in reversed(range(first, network.depth)):
            start, entering = part, {}
            if not site:
                zeros = torch.zeros(len(part), network.inputs, dtype=dtype, device=part.device)
                start, entering = network.from_first(part, zeros)
            one = network.new_pass(
                linear_from=site + 1,
                zero=site or None,
                frozen=states,
                products=products if site else None,
                **entering,
            )
            by_site[site - first].append(network.run_pass(start, one, parameters))
    return [torch.cat(offsets) for offsets in by_site]


@plain_mode
@torch.enable_grad()
def changes(
    network: ReadNetwork, x: Tensor, steps: Sequence[Tensor], mix: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradient of mix · logits by x^(0) at x, and its values there and a step away.

    x is one sample, prepared, in float32 at least; the passes are linear, frozen at x.

    Args:
        steps: (1, N_0) each.

    Returns:
        The gradient, (1, N_0), and (1 + steps,): the value at x, and those at x^(0) + steps.
    """
    parameters = network.constants(mix.dtype)
    states = network.frozen_states(x, parameters)
    (start, *_), outputs = network.graph(x, 0, parameters, linear_from=1, frozen=states)
    refuse_constant(outputs)
    value = (outputs * mix).sum()
    (gradient,) = torch.autograd.grad(value, start)
    others = [start.detach() + step for step in steps]
    # What is frozen is so at x, one sample; without that the others pass together.
    batches = others if network.is_frozen else [torch.cat(others)]
    values = [value.detach().view(1)]
    with torch.no_grad():
        for batch in batches:
            samples, entering = network.from_first(x, batch)
            one = network.new_pass(linear_from=1, frozen=states, **entering)
            values.append((network.run_pass(samples, one, parameters) * mix).sum(dim=1))
    return gradient, torch.cat(values)


@plain_mode
@torch.enable_grad()
def not_affine_places(
    network: ReadNetwork, x: Tensor, dtype: torch.dtype
) -> tuple[list[str], list[str]]:
    """Return what a linear pass shows in its graph: the places of gates, and functions' names.

    Gates are products of two functions of the samples. Products whose values do not reach the
    outputs, as those before a frozen softmax, are none. The functions are known not to be affine.
    """
    parameters = network.constants(dtype)
    first = network.first_activations(x, parameters).clone().requires_grad_()
    samples, entering = network.from_first(x, first)
    states = network.frozen_states(x, parameters)
    one = Pass(network.rules, None, linear_from=1, frozen=states, named=True, **entering)
    outputs = run(network.model, samples.view(len(x), *network.shape), one, parameters)
    reached, waiting = set(), [outputs.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in reached:
            reached.add(node)
            waiting += [after for after, _ in node.next_functions]
    names = {node.name().partition("Backward")[0] for node in reached}
    gates = [place for place, node in one.products if node in reached]
    return gates, sorted(name.lower() for name in names & _NOT_AFFINE_NODES)


# As autograd names their derivatives.
_NOT_AFFINE_NODES = {
    *("Abs", "Clamp", "ClampMin", "ClampMax", "Maximum", "Minimum", "Relu", "Sigmoid", "Tanh"),
    *("Exp", "Log", "Log1P", "Sqrt", "Rsqrt", "Reciprocal", "Sin", "Cos", "Erf", "Gelu", "Silu"),
    *("Softmax", "LogSoftmax", "Logsumexp", "Norm", "LinalgVectorNorm", "Sort", "Topk", "Amax"),
    *("Max", "Min", "Amin", "Prod", "Cumprod", "MaxPool2DWithIndices", "Sgn", "Std", "Var"),
    *("NativeLayerNorm", "NativeGroupNorm", "Median", "Pow", "Sign", "Floor", "Round", "Fmod"),
}
