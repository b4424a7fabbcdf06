"""A network is read once: `read` returns a `Network`, which measures call and hand on."""

import copy
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks import folding, propagation
from netdyn.networks.comparing import refuse_other_logits
from netdyn.networks.folding import FoldedLayer, Layer
from netdyn.networks.inputs import as_count, as_layer, check_finite
from netdyn.networks.kinds import Holder, ReadNetwork
from netdyn.networks.layers import named_layers
from netdyn.networks.own_code import CalledCode
from netdyn.networks.parametrized import original
from netdyn.networks.propagation import Statistics
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["Network", "Site", "local_fields", "logits", "read"]


class Site(NamedTuple):
    """A place of activations: where a local field enters an activation."""

    name: str  # of the activation module, or of the last module before the next Linear layer
    width: int  # N_l, number of neurons


class Network(ReadNetwork):
    """A network that was read: its sites, and what is computed from its layers.

    Site l = 1 … L−1 is `sites[l − 1]`; 0 is the input. All passes are in evaluation mode; for
    training mode use `with_batch_statistics(x)`. No method changes the model, its mode included.

    The object refers to the model's modules and copies none of their weights; nothing computed is
    stored. After further training, `load_state_dict`, `to` or `double` it therefore computes with
    the model's present weights. Modules that are added, removed or replaced after reading are not
    seen: read the model again. Hooks, parametrizations and functions that come or go are refused.

    Attributes:
        model: the module that was read.
        layers: its `Layer`s 1 … L.
        sites: its `Site`s 1 … L−1.
        code: what its modules ran when they were read.
    """

    def __init__(
        self,
        model: nn.Module,
        names: Sequence[str],
        layers: Sequence[Layer],
        compared: bool = False,
    ):
        """Args: the model, its layers, the name of each, whether its logits were compared."""
        self.model = model
        self.layers = (*layers,)
        self._compared = compared
        self.code = CalledCode(model)
        self.sites = tuple(
            Site(name, layer.linear.out_features)
            for name, layer in zip(names[:-1], layers[:-1], strict=True)
        )

    def refuse_changes(self) -> None:
        """Raise NetdynError if what the modules run is no longer what was read."""
        self.code.refuse_changes()

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
        """K, the number of logits; 2 for a network of one output z, whose logits are [0, z]."""
        return max(2, self.outputs)

    @property
    def outputs(self) -> int:
        """The number of values that the model itself returns, K or 1."""
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

        Of the first samples, a few also pass through the model's own forward; logits are compared.

        Args:
            x: samples, (P, …), flattened: floats, or bytes (uint8), pixels that are divided by 255.
                A tensor on the network's device, a numpy array or a list.

        Raises:
            NetdynError: for samples of other types than floats or bytes, or of another size; for a
                model whose own logits are others than its layers'.
        """
        self.code.refuse_changes()
        inputs = propagation.network_input(self.layers, x)
        if not self._compared and len(inputs):
            refuse_other_logits(self.model, self.layers, inputs)
            self._compared = True
        return inputs

    def samples(self, x: Tensor) -> Tensor:
        """Return samples (P, …) as a tensor on the network's device, otherwise as they are.

        Args and Raises: as for `prepare`.
        """
        self.code.refuse_changes()
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
        chunk = as_count(chunk, "chunk")
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
        """Return the layers with batch norm folded in, args as for `folding.folded_layers`."""
        return folding.folded_layers(self.layers, dtype)

    @plain_mode
    def linear_maps(self, first: int = 0) -> list[tuple[Tensor, Tensor]]:
        """Return the L-maps M_first … M_{L−1}: weight (K, N_l) and bias (K,) of each.

        All come from one recursion backwards, M_{l−1} = M_l ∘ (layer l without its activation),
        in float64; they are returned in the network's precision, but in float32 at least: entries
        of a deep network's map are too small for float16. With one output z the first row is 0.

        Args:
            first: the first site whose map is returned, 0 … L−1; 0 is the input.

        Raises:
            NetdynError: for a site outside 0 … L−1.
        """
        self.code.refuse_changes()
        first = as_layer(first, self.depth, "L-maps")
        maps = folding.linear_maps(self.layers[first:])
        dtype = folding.wide(self.dtype)
        if self.outputs == 1:
            maps = folding.with_logit_0(maps)
        return [(weight.detach().to(dtype), bias.detach().to(dtype)) for weight, bias in maps]

    def batch_statistics(self, x: Tensor) -> tuple[Tensor, list[Statistics]]:
        """Return the logits (P, K) in training mode and the statistics of the batch x.

        Every batch norm normalises by the batch's own mean and (biased) variance (α = 1 in
        Eq. 3). The statistics are a pair per weight layer, mean and variance, each (N_l,), or
        None where there is no batch norm. Args and Raises: as for `prepare`.
        """
        return propagation.batch_statistics(self.layers, self.prepare(x))[:2]

    @plain_mode
    def with_batch_statistics(self, x: Tensor) -> "Network":
        """Return a copy whose running statistics are those of the batch x (α = 1 in Eq. 3).

        Evaluation mode of the copy is training mode of this network on x, so every measurement in
        training mode is the same measurement of the copy. In half precision batch norm of the copy
        is in float32, as PyTorch computes it.

        Args and Raises: as for `prepare`; also for one batch norm in two places, for less than two
        samples, and for samples that are not finite.
        """
        folding.refuse_shared_norms(self.layers)
        inputs = self.prepare(x)
        if len(inputs) < 2:
            raise NetdynError(f"statistics of a batch of {len(inputs)}: give at least two samples")
        check_finite(inputs)
        _, *by_place = propagation.batch_statistics(self.layers, inputs)
        copied = copy.deepcopy(self)
        folding.set_statistics(copied.layers, *by_place)
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
            Flatten is retained. Its precision is the wider one of the network and of W.
        """
        flattens = [module for module in self.model.modules() if isinstance(module, nn.Flatten)]
        modules, layers = copy.deepcopy((flattens, self.layers[: start_layer - 1]))
        dtype = torch.promote_types(self.dtype, weight.dtype)
        names = []
        for layer in layers:
            in_order = (layer.input_norm, layer.linear, layer.norm, layer.activation)
            modules += [original(one).to(dtype) for one in in_order if one is not None]
            names.append(str(len(modules) - 1))
        parameters = [
            None if part is None else nn.Parameter(part.to(dtype, copy=True).contiguous())
            for part in (weight, bias)
        ]
        tail = Layer(folding.linear_of(*parameters), None, None)
        names.append(str(len(modules)))
        model = nn.Sequential(*modules, tail.linear).eval()
        return Network(model, names, [*layers, tail], compared=True)

    def projected(self, plane: Tensor, x: Tensor) -> Tensor:
        """Return x^(L−1) times the vectors of `plane` (D, N_{L−1}): (P, D)."""
        return self.with_affine_tail(self.depth, plane).logits(x)


def _last(tensors: Iterator[Tensor]) -> Tensor:
    # A deque of length one drops each layer's tensor as the next one comes.
    return deque(tensors, maxlen=1).pop()


def read(
    model: nn.Module | ReadNetwork | Holder, *, activations: Sequence[type[nn.Module]] = ()
) -> Network:
    """Read a network layer by layer, once, for any number of measurements.

    Every function of netdyn that measures a network accepts a module, which it reads by this
    function, or what this function or `netdyn.read` returns, which costs nothing.

    Args:
        model: a `torch.nn.Sequential` of Linear, BatchNorm1d and elementwise activations; nested
            Sequentials, a leading Flatten, Identity and Dropout are allowed. Subclasses are read
            if they override nothing. A network that was read is returned unchanged.
        activations: further module classes that are elementwise and without state, such as
            activations of your own; each module of them is tried on a few values.

    Raises:
        NetdynError: naming the module that is not supported, why, and what to do; docs/limits.md
            lists what is read. A forward of your own or a forward hook is refused.
    """
    if isinstance(model, Holder):
        model = model.network
    if isinstance(model, ReadNetwork):
        model.refuse_changes()
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
