"""A network that was traced: its sites, and what its forward passes give.

Site s = 1 … S is a call of an activation, its input the local field h^(s), its output x^(s). With
the activations of all sites the identity, what is left is affine, or is frozen at what it does to
each sample (`netdyn.networks.traced.not_affine`), and

    M_s = ∂ logits / ∂ x^(s),   s = 0 … S,   x^(0) the samples,

is the L-map of site s. Of an affine network it is the same for every sample; of a frozen one it is
the mean over samples. Paths past a site (skip connections) add an offset that is not of x^(s).
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_count, as_input, as_samples
from netdyn.networks.integer_samples import as_tokens, is_tokens
from netdyn.networks.kinds import ReadNetwork
from netdyn.networks.propagation import as_logits
from netdyn.networks.traced.maps import chunk_of, maps, offsets
from netdyn.networks.traced.passes import BRANCHES, Call, Pass, Rules
from netdyn.networks.traced.pruning import pruned_logits, pruned_pass
from netdyn.networks.traced.running import run
from netdyn.networks.traced.sites import TracedSite, numbered
from netdyn.networks.traced.statistics import set_batch_statistics
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["TracedNetwork"]


class TracedNetwork(ReadNetwork):
    """A network of any kind; samples, local fields and maps are flattened to (P, N_s).

    The object refers to the model and copies no weights; it always computes with the present ones.
    All passes are in evaluation mode.

    Attributes:
        model: the module.
        takes_tokens: whether samples are integers; x^(0) is then what their embeddings return.
        sites: its `TracedSite`s 1 … S.
        shape: of a sample.
        weights: names of the parameters that the samples are multiplied by, in order of use.
        is_frozen: whether something that is not affine is frozen, so that maps are means.
        dtype: the precision of the weights, in which samples are passed.
        inputs: N_0, the number of values of x^(0).
    """

    def __init__(
        self,
        model: nn.Module,
        rules: Rules,
        example: Tensor,
        calls: Sequence[Call],
        outputs: int,
        weights: Sequence[str],
        is_frozen: bool,
        dtype: torch.dtype,
        inputs: int,
    ):
        """Args: as attributes, with the calls of activations and the number of outputs."""
        self.model, self.example, self.outputs = model, example, outputs
        self.takes_tokens, self.dtype, self.inputs = is_tokens(example), dtype, inputs
        self.shape, self.weights = tuple(example.shape[1:]), tuple(weights)
        self.is_frozen = is_frozen
        self.has_computed_weights = False
        self.rules, self._calls = rules, tuple(calls)
        number = iter(range(1, len(calls) + 1))
        self._numbers = [next(number) if call.depends else 0 for call in calls]
        own = [call for call in calls if call.depends]
        names = numbered([call.name for call in own])
        self.sites = tuple(
            TracedSite(name, call.function, call.shape[1:])
            for name, call in zip(names, own, strict=True)
        )

    @property
    def depth(self) -> int:
        """S + 1, as a chain of S sites has S + 1 weight layers."""
        return len(self.sites) + 1

    @property
    def classes(self) -> int:
        """K, the number of logits; 2 for a network of one output z, whose logits are [0, z]."""
        return max(2, self.outputs)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.example.device

    def widths(self) -> list[int]:
        """Return N_0 … N_S."""
        return [self.inputs, *(site.width for site in self.sites)]

    def samples(self, x: Tensor) -> Tensor:
        """Return samples (P, …) as a tensor on the network's device, otherwise as they are.

        Raises:
            NetdynError: for other types than floats or bytes, and for another shape than that of
                the example or of samples flattened.
        """
        x = as_tokens(x, self.device) if self.takes_tokens else as_samples(x, self.device)
        flat = (torch.Size(self.shape).numel(),)
        if x.ndim < 1 or tuple(x.shape[1:]) not in (self.shape, flat):
            raise NetdynError(
                f"samples of shape {tuple(x.shape)}: the network was read with an example of "
                f"samples of shape {self.shape}, give (samples, "
                f"{', '.join(map(str, self.shape))})"
            )
        return x

    @plain_mode
    def prepare(self, x: Tensor) -> Tensor:
        """Return samples flattened, in the network's precision, (P, N_0); tokens as int64."""
        x = self.samples(x)
        if self.takes_tokens:
            return x.flatten(1).long()
        return as_input(x.flatten(1)).to(self.dtype)

    def in_precision(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return prepared samples in another precision; tokens have none."""
        return x if self.takes_tokens else x.to(dtype)

    @plain_mode
    def first_activations(
        self, x: Tensor, parameters: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Return x^(0), (P, N_0), of prepared samples: themselves, or what embeds them."""
        if not self.takes_tokens:
            return x
        one = self.new_pass(tokens=True)
        self.run_pass(x, one, parameters)
        return one.entrance.inputs()

    def from_first(self, x: Tensor, first: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return samples, and settings of a pass, in which x^(0) is `first`, (P, N_0).

        Args:
            x: prepared samples, as many, or one whose tokens all have.
        """
        if not self.takes_tokens:
            return first, {}
        return x.expand(len(first), -1), {"replaced": first}

    def run_pass(
        self, x: Tensor, one: Pass | None = None, parameters: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Return the logits (P, K) of prepared samples in a pass; args as for `run`.

        Raises:
            NetdynError: as `run` does, and where other activations are called than for the example.
        """
        outputs = as_logits(run(self.model, x.view(len(x), *self.shape), one, parameters))
        if one is not None and [(c.function, c.shape[1:]) for c in one.calls] != [
            (c.function, c.shape[1:]) for c in self._calls
        ]:
            raise NetdynError(BRANCHES)
        return outputs

    def _chunk(self, chunk: int | None) -> int:
        return chunk_of(self) if chunk is None else as_count(chunk, "chunk")

    def new_pass(self, **settings: Any) -> Pass:
        """Return a pass of this network with further settings."""
        return Pass(self.rules, self._numbers, **settings)

    @plain_mode
    def logits(
        self, x: Tensor, chunk: int | None = None, parameters: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Return the logits (P, K) of samples x (P, …), `chunk` at a time.

        Args:
            parameters: by name, instead of the model's own.
        """
        parts = self.samples(x).split(self._chunk(chunk))
        return torch.cat([self.run_pass(self.prepare(part), None, parameters) for part in parts])

    @plain_mode
    def selected_fields(
        self,
        x: Tensor,
        select: Callable[[int, Tensor], Tensor | None],
        chunk: int | None = None,
        of_activations: bool = False,
    ) -> list[list[Tensor]]:
        """Return per site s = 1 … S the parts that `select` returns of h^(s), chunk by chunk.

        Args:
            x: samples, (P, …).
            select: of the site and its local field, (P_c, N_s), valid during the call, returns what
                is kept: None or a new tensor.
            of_activations: whether x^(s) is selected from instead.
        """
        kept: list[list[Tensor]] = [[] for _ in self.sites]

        def observe(site: int, h: Tensor, activation: Tensor) -> None:
            part = select(site, activation if of_activations else h)
            if part is not None:
                kept[site - 1].append(part)

        for part in self.samples(x).split(self._chunk(chunk)):
            self.run_pass(self.prepare(part), self.new_pass(observe=observe))
        return kept

    def local_fields(self, x: Tensor) -> list[Tensor]:
        """Return the local fields of samples x at every site, each (P, N_s)."""
        parts = self.selected_fields(x, lambda site, h: h.clone())
        return [torch.cat(site) for site in parts]

    def propagate(self, x: Tensor) -> Iterator[Tensor]:
        """Return an iterator over h^(1) … h^(S), (P, N_s), and the logits, (P, K)."""
        return iter([*self.local_fields(x), self.logits(x)])

    def constants(self, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        """Return parameters without gradients, by name; and buffers in another precision."""
        constants = {name: one.detach() for name, one in self.model.named_parameters()}
        if dtype in (None, self.dtype):
            return constants
        constants |= dict(self.model.named_buffers())
        return {n: t.to(dtype) if t.is_floating_point() else t for n, t in constants.items()}

    @plain_mode
    @torch.enable_grad()
    def differentiable_pass(self, x: Tensor, first: int = 0) -> tuple[list[Tensor], Tensor]:
        """Return x^(first) … x^(S), (P, N_s), and the logits (P, K), with a graph from x^(0) on.

        Args:
            x: samples as `prepare` returns them.
            first: the first site whose activations are returned, 0 … S; 0 is the input.
        """
        return self.graph(x, first, self.constants())

    def graph(
        self, x: Tensor, first: int, parameters: Mapping[str, Tensor], **settings: Any
    ) -> tuple[list[Tensor], Tensor]:
        """Return what `differentiable_pass` does, of other parameters and a pass of `settings`."""
        start = self.first_activations(x, parameters).detach().clone().requires_grad_()
        activations = [start]

        def observe(site: int, h: Tensor, activation: Tensor) -> None:
            activations.append(activation)

        x, entering = self.from_first(x, start)
        one = self.new_pass(observe=observe, **settings, **entering)
        outputs = self.run_pass(x, one, parameters)
        return activations[first:], outputs

    @plain_mode
    def frozen_states(self, x: Tensor, parameters: Mapping[str, Tensor] | None = None) -> list:
        """Return what each function that is frozen does to the prepared samples x."""
        if not self.is_frozen:
            return []
        one = self.new_pass()
        self.run_pass(x, one, parameters)
        return one.states

    def linear_maps(self, first: int = 0) -> list[tuple[Tensor, Tensor]]:
        """Return the L-maps M_first … M_S: weight (K, N_s) and bias (K,), means over the example.

        See `traced.maps`; of a chain that is affine both are the same for every sample.
        """
        both = zip(maps(self, first=first), offsets(self, first=first), strict=True)
        return [(weight, bias.mean(dim=0)) for weight, bias in both]

    @plain_mode
    def pruned_logits(self, x: Tensor, starts: Sequence[int], chunk: int | None = None) -> Tensor:
        """Return the logits with the activations of sites s … S the identity, (starts, P, K).

        Args:
            starts: s = 1 … S + 1; S + 1 is the network itself.
        """
        parts = self.samples(x).split(self._chunk(chunk))
        return torch.cat([pruned_logits(self, self.prepare(part), starts) for part in parts], 1)

    def pruned_pass(self, start: int) -> Callable[[nn.Module, Tensor], Tensor]:
        """Return a function of a copy of the model and samples that gives the pruned logits."""
        return pruned_pass(self, start)

    @plain_mode
    def with_batch_statistics(self, x: Tensor) -> "TracedNetwork":
        """Return a copy whose batch norms have the statistics of the batch x: training mode.

        All samples pass together. Raises: as `statistics.set_batch_statistics`.
        """
        copied = copy.deepcopy(self)
        set_batch_statistics(copied.model, self.prepare(x).view(-1, *self.shape))
        return copied

    @plain_mode
    def projected(self, plane: Tensor, x: Tensor) -> Tensor:
        """Return x^(S) times the vectors of `plane` (D, N_S): (P, D)."""
        if not self.sites:
            return self.prepare(x) @ plane.to(self.dtype).T
        last = len(self.sites)
        plane = plane.to(self.dtype)
        parts = self.selected_fields(
            x, lambda site, h: h @ plane.T if site == last else None, of_activations=True
        )
        return torch.cat(parts[-1])
