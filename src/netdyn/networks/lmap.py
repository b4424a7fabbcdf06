"""The linear substitution map (L-map), and pruning by it.

M_l, l = 0 … L−1, is the affine map from x^(l) to the logits when every later activation is the
identity: x^(l) ↦ W x^(l) + b with

    W = (D^(L) W^(L)) ⋯ (D^(l+1) W^(l+1)),   D = diag(γ / σ̂)                           (Eq. 2, 4)

where batch norm enters with its evaluation statistics, and b gathers the offsets of the linear
layers and of batch norm, which Eq. 4 leaves out.
"""

from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_whole
from netdyn.networks.reading import Network, read

__all__ = ["linear_map", "linear_maps", "prune", "pruned"]


def linear_map(model: nn.Module | Network, layer: int) -> tuple[Tensor, Tensor]:
    """Return the L-map M_l of layer l: weight (K, N_l) and bias (K,).

    Args:
        model: any network that `netdyn.read` reads, or what it returned; its evaluation statistics
            are used, whatever mode it is in.
        layer: l = 0 … L−1; 0 maps the input, L−1 is the output layer itself.

    The products are computed in float64 and returned in the model's precision, but in float32 at
    least. With one output z, whose logits are [0, z], the first row of weight and bias is 0.

    Raises:
        NetdynError: for a layer outside 0 … L−1.
    """
    return read(model).linear_maps(first=layer)[0]


def linear_maps(model: nn.Module | Network, first: int = 0) -> list[tuple[Tensor, Tensor]]:
    """Return the L-maps M_first … M_{L−1}, each as in `linear_map`, with one product a layer."""
    return read(model).linear_maps(first)


def prune(model: nn.Module | Network, start_layer: int) -> nn.Sequential:
    """Return a copy whose layers s … L, the activation of s included, are replaced by M_{s−1}.

    Args:
        model: any network that `netdyn.read` reads, or what it returned; it is left unchanged.
        start_layer: s = 1 … L. 1 gives one affine map of the input (the L-map curve of Fig. 2a–b),
            L the full network's function.

    Returns:
        A Sequential in evaluation mode, to which every measurement applies; in float32 where the
        model is in half precision, and of one output where the model is.

    Raises:
        NetdynError: for a starting layer outside 1 … L, and for a traced network, which need not be
            a chain of layers.
    """
    return pruned(read(model), start_layer).model


def pruned(network: Network, start_layer: int) -> Network:
    """Return what `prune` returns, as a read network."""
    start_layer = as_whole(start_layer, "start_layer")
    if not isinstance(network, Network):
        raise NetdynError(
            "a traced network need not be a chain, whose rest is one linear layer: "
            f"netdyn.read(model, x).pruned({start_layer}) is its module with later "
            "activations the identity"
        )
    if not 1 <= start_layer <= network.depth:
        raise NetdynError(
            f"start_layer {start_layer}: a network of {network.depth} weight layers can be pruned "
            f"from 1 … {network.depth}"
        )
    weight, bias = network.linear_maps(start_layer - 1)[0]
    # Without the row of the logit 0, where there is one output.
    rows = slice(-network.outputs, None)
    return network.with_affine_tail(start_layer, weight[rows], bias[rows])
