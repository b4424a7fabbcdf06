"""A network is read once: `read` returns a `Network`, which measures call and hand on."""

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks import propagation
from netdyn.networks.layers import FoldedLayer, Layer, linear_of, named_layers
from netdyn.networks.parametrized import original
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["Network", "Site", "local_fields", "logits", "read"]


class Site(NamedTuple):
    """A place of activations: where a local field enters an activation."""

    name: str  # of the activation module, or of the last module before the next Linear layer
    width: int  # N_l, number of neurons


class Network:
    """A network that was read: its sites, and what is computed from its layers.

    Site l = 1 … L−1 is `sites[l − 1]`; 0 is the input. All passes are in evaluation mode; for
    training mode use `with_batch_statistics(x)`. No method changes the model, its mode included.

    The object refers to the model's modules and copies none of their weights; nothing computed is
    stored. After further training, `load_state_dict`, `to` or `double` it therefore computes with
    the model's present weights. Modules that are added, removed or replaced after reading are not
    seen: read the model again.

    Attributes:
        model: the module that was read.
        layers: its `Layer`s 1 … L.
        sites: its `Site`s 1 … L−1.
    """

    def __init__(self, model: nn.Module, names: Sequence[str], layers: Sequence[Layer]):
        """Args: the model, its layers, and the name of the last module of each."""
        self.model = model
        self.layers = (*layers,)
        self.sites = tuple(
            Site(name, layer.linear.out_features)
            for name, layer in zip(names[:-1], layers[:-1], strict=True)
        )

    @property
    def depth(self) -> int:
        """L, the number of weight layers."""
        return len(self.layers)

    @property
    def inputs(self) -> int:
        """N_0, the number of values of a sample."""
        return self.layers[0].linear.in_features

    @property
    def classes(self) -> int:
        """K, the number of logits."""
        return self.layers[-1].linear.out_features

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights, in which samples are passed."""
        return self.layers[0].linear.weight.dtype

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.layers[0].linear.weight.device

    @plain_mode
    def prepare(self, x: Tensor) -> Tensor:
        """Return x^(0), (P, N_0), in the network's precision.

        Args:
            x: samples, (P, …), flattened: floats, or bytes (uint8), pixels that are divided by 255.
                A tensor on the network's device, a numpy array or a list.

        Raises:
            NetdynError: for samples of other types than floats or bytes, or of another size.
        """
        return propagation.network_input(self.layers, x)

    def samples(self, x: Tensor) -> Tensor:
        """Return samples (P, …) as a tensor on the network's device, otherwise as they are.

        Args and Raises: as for `prepare`.
        """
        return propagation.network_samples(self.layers, x)

    def propagate(self, x: Tensor) -> Iterator[Tensor]:
        """Return an iterator over h^(1), …, h^(L−1), (P, N_l), and the logits, (P, K).

        Only one layer's tensor is held at a time. Args and Raises: as for `prepare`.
        """
        return propagation.propagate(self.layers, self.prepare(x))

    def local_fields(self, x: Tensor) -> list[Tensor]:
        """Return the local fields of samples x at every site, each (P, N_l).

        Args and Raises: as for `prepare`.
        """
        return list(self.propagate(x))[:-1]

    @plain_mode
    def logits(self, x: Tensor, chunk: int = 10_000) -> Tensor:
        """Return the logits (P, K) of samples x (P, …), `chunk` samples at a time.

        Args and Raises: as for `prepare`.
        """
        return torch.cat([_last(self.propagate(part)) for part in self.samples(x).split(chunk)])

    def differentiable_pass(self, x: Tensor, first: int = 0) -> tuple[list[Tensor], Tensor]:
        """Return x^(first) … x^(L−1) and the logits (P, K), with a graph from x^(first) on.

        Args:
            x: samples as `prepare` returns them.
            first: the first site whose activations are returned, 0 … L−1; 0 is the input.
        """
        return propagation.differentiable_pass(self.layers, x, first)

    @plain_mode
    def folded(self, dtype: torch.dtype | None = None) -> list[FoldedLayer]:
        """Return the layers with batch norm folded into weight and bias (see `Layer.folded`)."""
        return [layer.folded(dtype) for layer in self.layers]

    @plain_mode
    def linear_maps(self, first: int = 0) -> list[tuple[Tensor, Tensor]]:
        """Return the L-maps M_first … M_{L−1}: weight (K, N_l) and bias (K,) of each.

        All come from one recursion backwards, M_{l−1} = M_l ∘ (layer l without its activation),
        in float64; they are returned in the network's precision.

        Args:
            first: the first site whose map is returned, 0 … L−1; 0 is the input.

        Raises:
            NetdynError: for a site outside 0 … L−1.
        """
        if not 0 <= first < self.depth:
            raise NetdynError(
                f"layer {first}: a network of {self.depth} weight layers has L-maps "
                f"0 … {self.depth - 1}"
            )
        weight = bias = None
        maps = []
        for layer in reversed(self.layers[first:]):
            layer_weight, layer_bias, *_ = layer.folded(torch.float64)
            if layer_bias is None:
                layer_bias = layer_weight.new_zeros(len(layer_weight))
            if weight is None:
                weight, bias = layer_weight, layer_bias
            else:
                weight, bias = weight @ layer_weight, bias + weight @ layer_bias
            maps.append((weight, bias))
        dtype = self.layers[-1].linear.weight.dtype
        return [(weight.detach().to(dtype), bias.detach().to(dtype)) for weight, bias in maps[::-1]]

    def batch_statistics(self, x: Tensor) -> tuple[Tensor, list[tuple[Tensor, Tensor] | None]]:
        """Return the logits (P, K) in training mode and the statistics of the batch x.

        Every batch norm normalises by the batch's own mean and (biased) variance (α = 1 in
        Eq. 3). The statistics are a pair per weight layer, mean and variance, each (N_l,), or
        None where there is no batch norm. Args and Raises: as for `prepare`.
        """
        return propagation.batch_statistics(self.layers, self.prepare(x))

    @plain_mode
    def with_batch_statistics(self, x: Tensor) -> "Network":
        """Return a copy whose running statistics are those of the batch x (α = 1 in Eq. 3).

        Evaluation mode of the copy is training mode of this network on x, so every measurement in
        training mode is the same measurement of the copy. Args and Raises: as for `prepare`.
        """
        copied = copy.deepcopy(self)
        _, statistics = self.batch_statistics(x)
        for layer, pair in zip(copied.layers, statistics, strict=True):
            if pair is not None:
                mean, variance = pair
                layer.norm.running_mean.copy_(mean)
                layer.norm.running_var.copy_(variance)
        return copied

    @plain_mode
    def with_affine_tail(
        self, start_layer: int, weight: Tensor, bias: Tensor | None = None
    ) -> "Network":
        """Return a copy whose layers s … L are replaced by one affine map x^(s−1) ↦ W x^(s−1) + b.

        Args:
            start_layer: s = 1 … L.
            weight: W, (any, N_{s−1}).
            bias: b, (any,); None for none.

        Returns:
            A network of its own Sequential, in evaluation mode and without nesting; a leading
            Flatten is retained.
        """
        flattens = [module for module in self.model.modules() if isinstance(module, nn.Flatten)]
        modules, layers = copy.deepcopy((flattens, self.layers[: start_layer - 1]))
        names = []
        for layer in layers:
            modules += [original(module) for module in layer if module is not None]
            names.append(str(len(modules) - 1))
        parameters = [
            None if part is None else nn.Parameter(part.to(weight.dtype, copy=True).contiguous())
            for part in (weight, bias)
        ]
        tail = Layer(linear_of(*parameters), None, None)
        names.append(str(len(modules)))
        return Network(nn.Sequential(*modules, tail.linear).eval(), names, [*layers, tail])


def _last(tensors: Iterator[Tensor]) -> Tensor:
    # A deque of length one drops each layer's tensor as the next one comes.
    return deque(tensors, maxlen=1).pop()


def read(model: nn.Module | Network, *, activations: Sequence[type[nn.Module]] = ()) -> Network:
    """Read a network once, for any number of measurements.

    Every function of netdyn that measures a network accepts a module, which it reads by this
    function, or what this function returns, which costs nothing.

    Args:
        model: a `torch.nn.Sequential` of Linear, BatchNorm1d and elementwise activations; nested
            Sequentials, a leading Flatten and Dropout are allowed. A `Network` is returned
            unchanged.
        activations: further module classes that are elementwise and without state, such as
            activations of your own.

    Raises:
        NetdynError: naming the module that is not supported and why.
    """
    if isinstance(model, Network):
        return model
    names, layers = zip(*named_layers(model, activations), strict=True)
    return Network(model, names, layers)


def local_fields(model: nn.Module | Network, x: Tensor) -> list[Tensor]:
    """Return the local fields h^(1) … h^(L−1) of samples x, each (P, N_l), in evaluation mode.

    For training mode measure `netdyn.read(model).with_batch_statistics(x)` instead of `model`.

    Args:
        model: any network that `netdyn.read` reads, or what it returned.
        x: samples, (P, …), flattened: floats, or bytes (uint8), pixels that are divided by 255.
            A tensor on the network's device, a numpy array or a list. A sample that holds NaN has
            local fields and logits of NaN.

    Raises:
        NetdynError: as `read` does; for samples of other types than floats or bytes, or of another
            size.
    """
    return read(model).local_fields(x)


def logits(model: nn.Module | Network, x: Tensor, chunk: int = 10_000) -> Tensor:
    """Return the logits (P, K) of samples x (P, …) in evaluation mode, `chunk` samples at a time.

    Args and Raises: as for `local_fields`.
    """
    return read(model).logits(x, chunk)
