"""A network that was traced: its sites, and what its forward passes give.

Site s = 1 … S is a call of an activation, its input the local field h^(s), its output x^(s). With
the activations of all sites the identity, what is left is affine, or is frozen at what it does to
each sample (`netdyn.networks.traced.not_affine`), and

    M_s = ∂ logits / ∂ x^(s),   s = 0 … S,   x^(0) the samples,

is the L-map of site s. Of an affine network it is the same for every sample; of a frozen one it is
the mean over samples. Paths past a site (skip connections) add an offset that is not of x^(s).
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.folding import wide
from netdyn.networks.inputs import as_count, as_input, as_layer, as_samples
from netdyn.networks.kinds import ReadNetwork
from netdyn.networks.propagation import as_logits
from netdyn.networks.traced.passes import BRANCHES, Call, Pass, Rules, run
from netdyn.networks.traced.statistics import set_batch_statistics
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["CHUNK", "TracedNetwork", "TracedSite"]

CHUNK = 100  # samples of a pass; one sample of a large site has a million values


class TracedSite(NamedTuple):
    """A call of an activation that depends on the samples."""

    name: str  # of the module in which it is called
    function: str
    shape: tuple[int, ...]  # of one sample's local field

    @property
    def width(self) -> int:
        """N_s, number of neurons."""
        return torch.Size(self.shape).numel()


class TracedNetwork(ReadNetwork):
    """A network of any kind; samples, local fields and maps are flattened to (P, N_s).

    The object refers to the model and copies no weights; it always computes with the present ones.
    All passes are in evaluation mode.

    Attributes:
        model: the module.
        sites: its `TracedSite`s 1 … S.
        shape: of a sample.
        weights: names of the parameters that the samples are multiplied by, in order of use.
        is_frozen: whether something that is not affine is frozen, so that maps are means.
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
    ):
        """Args: as attributes, with the calls of activations and the number of outputs."""
        self.model, self.example, self.outputs = model, example, outputs
        self.shape, self.weights = tuple(example.shape[1:]), tuple(weights)
        self.is_frozen = is_frozen
        self.has_computed_weights = False
        self._rules, self._calls = rules, tuple(calls)
        number = iter(range(1, len(calls) + 1))
        self._numbers = [next(number) if call.depends else 0 for call in calls]
        own = [call for call in calls if call.depends]
        names = _numbered([call.name for call in own])
        self.sites = tuple(
            TracedSite(name, call.function, call.shape[1:])
            for name, call in zip(names, own, strict=True)
        )

    @property
    def depth(self) -> int:
        """S + 1, as a chain of S sites has S + 1 weight layers."""
        return len(self.sites) + 1

    @property
    def inputs(self) -> int:
        """N_0, the number of values of a sample."""
        return torch.Size(self.shape).numel()

    @property
    def classes(self) -> int:
        """K, the number of logits; 2 for a network of one output z, whose logits are [0, z]."""
        return max(2, self.outputs)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights, in which samples are passed."""
        return self.example.dtype

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
        x = as_samples(x, self.device)
        if x.ndim < 1 or tuple(x.shape[1:]) not in (self.shape, (self.inputs,)):
            raise NetdynError(
                f"samples of shape {tuple(x.shape)}: the network was read with an example of "
                f"samples of shape {self.shape}, give (samples, "
                f"{', '.join(map(str, self.shape))})"
            )
        return x

    @plain_mode
    def prepare(self, x: Tensor) -> Tensor:
        """Return x^(0), (P, N_0), flattened, in the network's precision."""
        x = self.samples(x)
        return as_input(x.flatten(1)).to(self.dtype)

    def _run(
        self, x: Tensor, one: Pass | None = None, parameters: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        outputs = as_logits(run(self.model, x.view(len(x), *self.shape), one, parameters))
        if one is not None and [(c.function, c.shape[1:]) for c in one.calls] != [
            (c.function, c.shape[1:]) for c in self._calls
        ]:
            raise NetdynError(BRANCHES)
        return outputs

    def _pass(self, **settings: Any) -> Pass:
        return Pass(self._rules, self._numbers, **settings)

    @plain_mode
    def logits(
        self, x: Tensor, chunk: int = CHUNK, parameters: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Return the logits (P, K) of samples x (P, …), `chunk` at a time.

        Args:
            parameters: by name, instead of the model's own.
        """
        parts = self.samples(x).split(as_count(chunk, "chunk"))
        return torch.cat([self._run(self.prepare(part), None, parameters) for part in parts])

    @plain_mode
    def selected_fields(
        self,
        x: Tensor,
        select: Callable[[int, Tensor], Tensor | None],
        chunk: int = CHUNK,
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

        for part in self.samples(x).split(as_count(chunk, "chunk")):
            self._run(self.prepare(part), self._pass(observe=observe))
        return kept

    def local_fields(self, x: Tensor) -> list[Tensor]:
        """Return the local fields of samples x at every site, each (P, N_s)."""
        parts = self.selected_fields(x, lambda site, h: h.clone())
        return [torch.cat(site) for site in parts]

    def propagate(self, x: Tensor) -> Iterator[Tensor]:
        """Return an iterator over h^(1), …, h^(S), (P, N_s), and the logits, (P, K)."""
        return iter([*self.local_fields(x), self.logits(x)])

    def _constants(self, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        """Return parameters without gradients; buffers too where the precision is another."""
        found = {name: one.detach() for name, one in self.model.named_parameters()}
        if dtype in (None, self.dtype):
            return found
        found |= dict(self.model.named_buffers())
        return {n: t.to(dtype) if t.is_floating_point() else t for n, t in found.items()}

    @plain_mode
    @torch.enable_grad()
    def differentiable_pass(self, x: Tensor, first: int = 0) -> tuple[list[Tensor], Tensor]:
        """Return x^(first) … x^(S), (P, N_s), and the logits (P, K), with a graph from x^(0) on.

        Args:
            x: samples as `prepare` returns them.
            first: the first site whose activations are returned, 0 … S; 0 is the input.
        """
        return self._graph(x, first, self._constants())

    def _graph(
        self, x: Tensor, first: int, parameters: Mapping[str, Tensor], **settings: Any
    ) -> tuple[list[Tensor], Tensor]:
        x = x.detach().clone().requires_grad_()
        activations = [x]

        def observe(site: int, h: Tensor, activation: Tensor) -> None:
            activations.append(activation)

        one = self._pass(observe=observe, **settings)
        # A copy, because an activation may write to its input.
        outputs = self._run(x.clone(), one, parameters)
        return activations[first:], outputs

    @plain_mode
    def frozen_states(self, x: Tensor, parameters: Mapping[str, Tensor] | None = None) -> list:
        """Return what each function that is frozen does to the prepared samples x."""
        if not self.is_frozen:
            return []
        one = self._pass()
        self._run(x, one, parameters)
        return one.states

    @plain_mode
    def maps(
        self,
        x: Tensor | None = None,
        first: int = 0,
        units: Sequence[Tensor | None] | None = None,
        classes: Tensor | None = None,
        chunk: int = CHUNK,
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
        first = as_layer(first, self.depth, "L-maps")
        x = self.prepare(self.example if x is None else x)
        if not len(x):
            raise NetdynError("L-maps of no samples: give at least one")
        x = x if self.is_frozen else x[:1]
        dtype = wide(self.dtype)
        rows = range(self.classes) if classes is None else classes.tolist()
        widths = self.widths()[first:]
        units = [None] * len(widths) if units is None else units
        sums = [
            torch.zeros(
                len(rows), n if u is None else len(u), dtype=torch.float64, device=self.device
            )
            for n, u in zip(widths, units, strict=True)
        ]
        parameters = self._constants(dtype)
        for part in x.to(dtype).split(chunk):
            states = self.frozen_states(part, parameters)
            with torch.enable_grad():
                activations, outputs = self._graph(
                    part, first, parameters, linear_from=1, frozen=states
                )
            self._refuse_constant(outputs)
            for row, k in enumerate(rows):
                if self.outputs == 1 and k == 0:
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

    @staticmethod
    def _refuse_constant(outputs: Tensor) -> None:
        if not outputs.requires_grad:
            raise NetdynError(
                "with activations the identity and all else frozen the outputs do not depend on "
                "the samples: remove a softmax at the end, the measurements need the logits"
            )

    @plain_mode
    def offsets(self, x: Tensor | None = None, first: int = 0, chunk: int = CHUNK) -> list[Tensor]:
        """Return the offsets of M_first … M_S, (P, K) each: the logits where x^(s) is 0.

        Later activations are the identity, earlier ones act as they do: what skip connections carry
        past the site is in the offset. Args: as for `maps`, but every sample has its own offset.
        """
        first = as_layer(first, self.depth, "L-maps")
        x = self.prepare(self.example if x is None else x)
        dtype = wide(self.dtype)
        parameters = self._constants(dtype)
        found: list[list[Tensor]] = [[] for _ in range(first, self.depth)]
        for part in x.to(dtype).split(chunk):
            states = self.frozen_states(part, parameters)
            for site, offsets in zip(range(first, self.depth), found, strict=True):
                one = self._pass(linear_from=site + 1, zero=site or None, frozen=states)
                start = part if site else torch.zeros_like(part)
                offsets.append(self._run(start, one, parameters))
        return [torch.cat(offsets) for offsets in found]

    @plain_mode
    @torch.enable_grad()
    def two_ends(self, x: Tensor, other: Tensor, mix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return mix · logits at x and at another input, all linear, and the gradient at x.

        Both are (1, N_0), in float32 at least, frozen at x.
        """
        parameters = self._constants(x.dtype)
        states = self.frozen_states(x, parameters)
        (start, *_), outputs = self._graph(x, 0, parameters, linear_from=1, frozen=states)
        self._refuse_constant(outputs)
        value = (outputs * mix).sum()
        (gradient,) = torch.autograd.grad(value, start)
        one = self._pass(linear_from=1, frozen=states)
        with torch.no_grad():
            return value.detach(), (self._run(other, one, parameters) * mix).sum(), gradient

    @plain_mode
    @torch.enable_grad()
    def products(self, x: Tensor) -> list[str]:
        """Return the places of products of two functions of the samples, in a linear pass."""
        parameters = self._constants(x.dtype)
        one = Pass(self._rules, None, linear_from=1, frozen=self.frozen_states(x, parameters))
        run(
            self.model,
            x.clone().requires_grad_().clone().view(len(x), *self.shape),
            one,
            parameters,
        )
        return one.products

    def linear_maps(self, first: int = 0) -> list[tuple[Tensor, Tensor]]:
        """Return the L-maps M_first … M_S: weight (K, N_s) and bias (K,), means over the example.

        See `maps` and `offsets`; of a chain that is affine both are the same for every sample.
        """
        weights, offsets = self.maps(first=first), self.offsets(first=first)
        return [(weight, bias.mean(dim=0)) for weight, bias in zip(weights, offsets, strict=True)]

    @plain_mode
    def pruned_logits(self, x: Tensor, starts: Sequence[int], chunk: int = CHUNK) -> Tensor:
        """Return the logits with the activations of sites s … S the identity, (starts, P, K).

        Args:
            starts: s = 1 … S + 1; S + 1 is the network itself.
        """
        parts = []
        for part in self.samples(x).split(as_count(chunk, "chunk")):
            prepared = self.prepare(part)
            states = self.frozen_states(prepared)
            passes = (
                self._pass(linear_from=s, frozen=states) if s < self.depth else None for s in starts
            )
            parts.append(torch.stack([self._run(prepared, one) for one in passes]))
        return torch.cat(parts, dim=1)

    def pruned_pass(self, start: int) -> Callable[[nn.Module, Tensor], Tensor]:
        """Return a function of a copy of the model and samples that gives the pruned logits."""

        def passed(model: nn.Module, x: Tensor) -> Tensor:
            states = None
            if self.is_frozen:
                true = self._pass()
                with true.around(model, len(x)):
                    model(x)
                states = true.states
            with self._pass(linear_from=start, frozen=states).around(model, len(x)):
                return model(x)

        return passed

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


def _numbered(names: Sequence[str]) -> list[str]:
    """Return the names, the second and later of one name with their number: relu, relu (2)."""
    seen = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found
