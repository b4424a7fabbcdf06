"""One forward pass of a module, in which every call of an activation is met and may be replaced.

A pass is *true*, as the module runs, or it is linear from a site on: there and later, activations
are the identity, and what is not affine by itself is frozen at what it did in a true pass.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from netdyn.errors import NetdynError
from netdyn.networks.traced.activations import ACTIVATION_CALLS, is_in_place
from netdyn.networks.traced.calls import base_name, public_function
from netdyn.networks.traced.meeting import LAYERS, PRODUCTS, WEIGHTED, depends, named_place
from netdyn.networks.traced.not_affine import NOT_AFFINE, OPENED, Rule
from netdyn.networks.traced.remembered import Products
from netdyn.networks.traced.tokens import Entrance, embedding_of

__all__ = ["BRANCHES", "Call", "Pass", "Rules"]

BRANCHES = (
    "the model's forward calls other functions for other samples: netdyn traces networks whose "
    "samples all take one path"
)


class Rules(NamedTuple):
    """What counts as an activation, and what becomes of what is not affine."""

    functions: Mapping[Callable, str] = ACTIVATION_CALLS
    classes: tuple[type[nn.Module], ...] = ()
    freeze: bool = False


class Call(NamedTuple):
    """A call of an activation."""

    name: str  # of the module in which it stands
    function: str
    shape: tuple[int, ...]  # of its input, the samples' dimension included
    depends: bool  # whether it is on the samples


class Pass(TorchFunctionMode):
    """What happens in one pass; after it `calls` lists the calls of activations in their order.

    Args:
        rules: what is met.
        sites: for each call of an activation its site s = 1 … S, or 0 for a call on parameters
            alone; None to number all calls that depend on the samples.
        linear_from: the first site whose activation is the identity; None for a true pass.
        zero: a site whose activation returns zeros.
        frozen: the states of a true pass, by which what is not affine is replaced; None to run it
            as it is and list its states in `states`.
        observe: called with the site, its local field h and its x^(s), flattened, (P, N_s); h is
            valid during the call.
        watched: parameters by name, of which `weights` lists those that samples are multiplied by.
        products: of passes of the same samples and `frozen`, used up to the first changed site.
        tokens: whether samples are integers, and it matters where they enter.
        replaced: x^(0) of tokens instead of what their embeddings return, (P, N_0).
        named: whether calls have the names of their modules; else they are called as functions.
    """

    def __init__(
        self,
        rules: Rules,
        sites: Sequence[int] | None = None,
        linear_from: int | None = None,
        zero: int | None = None,
        frozen: Sequence[Any] | None = None,
        observe: Callable[[int, Tensor, Tensor], None] | None = None,
        watched: Mapping[str, Tensor] | None = None,
        products: Products | None = None,
        tokens: bool = False,
        replaced: Tensor | None = None,
        named: bool = False,
    ):
        super().__init__()
        self._rules, self._sites, self._observe = rules, sites, observe
        self._linear_from, self._zero, self._frozen = linear_from, zero, frozen
        self._products, self._named = products, named
        self._tokens, self._replaced = tokens or replaced is not None, replaced
        self.entrance: Entrance | None = None
        self.calls: list[Call] = []
        self.states: list[Any] = []
        # Products of two functions of the samples: where, and their nodes of the graph.
        self.products: list[tuple[str, Any]] = []
        self.last: Tensor | None = None  # output of the last activation
        self.weights: list[str] = []
        self.has_computed_weights = False  # a weight that is no parameter
        matrices = {name: one for name, one in (watched or {}).items() if one.ndim > 1}
        self._watched = {id(one): name for name, one in matrices.items()}
        self._path: list[tuple[str, bool]] = []  # names, and whether each is an activation
        self._samples = 0
        self._number = 0  # of sites met

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.entrance is None:
            return self._met(func, args, kwargs)
        embedding = embedding_of(func, args, kwargs)
        output = self._met(func, args, kwargs)
        if embedding is None:
            self.entrance.follow(args, kwargs, output)
        elif self.entrance.enters(embedding[0]):
            weight = self._watched.get(id(embedding[1]))
            if weight is not None and weight not in self.weights:
                self.weights.append(weight)
            return self.entrance.embedded(output)
        return output

    def _met(self, func: Callable, args: tuple, kwargs: dict) -> Any:
        if self._in_own_module:
            return func(*args, **kwargs)
        public = public_function(func)
        if public in self._rules.functions:
            return self._activation(self._rules.functions[public], func, args, kwargs)
        if public in NOT_AFFINE:
            return self._not_affine(NOT_AFFINE[public], func, args, kwargs)
        if func in OPENED:
            with self:
                return OPENED[func](*args, **kwargs)
        name = base_name(func)
        if self._watched:
            self._watch(name, args, kwargs)
        if self._products is not None and name in WEIGHTED:
            return self._products.output(func, args, kwargs)
        if name in PRODUCTS and sum(map(depends, args)) > 1:
            product = func(*args, **kwargs)
            self.products.append((self._place(name.strip("_")), product.grad_fn))
            return product
        return func(*args, **kwargs)

    _in_own_module = 0

    def _watch(self, name: str, args: tuple, kwargs: dict) -> None:
        """Note which parameters this call multiplies samples by."""
        if name.strip("_").removeprefix("r") not in WEIGHTED:
            return
        for place, one in enumerate([*args, *kwargs.values()]):
            if isinstance(one, Tensor) and one.ndim > 1 and not one.requires_grad:
                weight = self._watched.get(id(one), self._watched.get(id(one._base)))
                if weight is not None and weight not in self.weights:
                    self.weights.append(weight)
                elif weight is None and place == 1 and name in LAYERS and args[0].requires_grad:
                    self.has_computed_weights = True

    def _place(self, function: str) -> str:
        path, is_activation = self._path[-1] if self._path else ("", False)
        if is_activation:
            return path
        return f"{path}.{function}" if path else function

    def _activation(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        key = next((key for key in ("input", "self") if key in kwargs), None)
        h = kwargs[key] if key and not args else args[0]
        rest = args[1:]
        others = {other: value for other, value in kwargs.items() if other != key or args}
        if not isinstance(h, Tensor) or not h.is_floating_point():
            return func(*args, **kwargs)
        in_place = is_in_place(func, (h, *rest), others)
        source = h.clone() if in_place else h
        out = self._site(name, h, lambda: func(source, *rest, **others))
        if in_place and out is not None:
            h.copy_(out)
            out = h
        self.last = out
        return out

    def _site(self, name: str, h: Tensor, true: Callable[[], Tensor]) -> Tensor:
        depends = h.requires_grad
        order = len(self.calls)
        self.calls.append(Call(self._place(name), name, tuple(h.shape), depends))
        if self._sites is None:
            self._number += depends
            site = self._number if depends else 0
        elif order < len(self._sites):
            site = self._sites[order]
        else:
            raise NetdynError(BRANCHES)
        if not site:
            return true()
        if h.ndim == 0 or h.shape[0] != self._samples:
            raise NetdynError(
                f"{self.calls[-1].name} is called on the shape {tuple(h.shape)} for "
                f"{self._samples} samples: the samples must be the first dimension there"
            )
        is_linear = self._linear_from is not None and site >= self._linear_from
        if self._products is not None and (is_linear or site == self._zero):
            self._products.stop()
        if is_linear:
            true = h.clone
        elif site == self._zero:
            true = functools.partial(torch.zeros_like, h)
        out = true()
        if self._observe is None:
            return out
        # The view's gradient is on the path to the logits: it is what the observer is given.
        flat = out.flatten(1)
        self._observe(site, h.flatten(1), flat)
        return flat.view(out.shape)

    def _not_affine(self, rule: Rule, func: Callable, args: tuple, kwargs: dict) -> Any:
        if not self._rules.freeze:
            if not any(map(depends, (*args, *kwargs.values()))) and self._sites is None:
                return func(*args, **kwargs)
            if self._sites is None:
                raise NetdynError(
                    f"{self._place(rule.name)} is not affine, and no activation: netdyn can freeze "
                    'it at what it does to each sample, by netdyn.read(..., not_affine="freeze")'
                )
            return func(*args, **kwargs)
        if self._frozen is None:
            out, state = rule.record(func, args, kwargs)
            self.states.append(state)
            return out
        if len(self.states) >= len(self._frozen):
            raise NetdynError(BRANCHES)
        self.states.append(None)
        return rule.apply(self._frozen[len(self.states) - 1], args, kwargs)

    @contextlib.contextmanager
    def around(self, model: nn.Module, x: Tensor) -> Iterator[None]:
        """Run a forward pass of x in this context: it knows modules' names, and those declared."""
        self._samples = len(x)
        if self._tokens:
            self.entrance = Entrance(x, self._replaced)
        handles = []
        if self._products is not None:
            self._products.start()

        def enter(name: str) -> Callable:
            def hook(module: nn.Module, args: tuple) -> None:
                self._path.append(named_place(name, module))

            return hook

        def leave(module: nn.Module, args: tuple, output: Any) -> None:
            self._path.pop()

        try:
            if self._named:
                for name, module in model.named_modules():
                    if name and not isinstance(module, self._rules.classes):
                        handles.append(module.register_forward_pre_hook(enter(name)))
                        handles.append(module.register_forward_hook(leave))
            for name, module in model.named_modules() if self._rules.classes else ():
                if isinstance(module, self._rules.classes):
                    handles += self._hooks_of_own(name, module)
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _hooks_of_own(self, name: str, own: nn.Module) -> list:
        inputs: list[Tensor] = []

        def before(module: nn.Module, args: tuple) -> tuple:
            self._in_own_module += 1
            inputs.append(args[0])
            return (args[0].clone(), *args[1:])  # it may write to its input

        def after(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
            self._in_own_module -= 1
            h = inputs.pop()
            if self._in_own_module:
                return output
            if output.shape != h.shape:
                raise NetdynError(
                    f"module {name!r} ({type(own).__name__}) is no activation: it does not return "
                    "one value for each of its inputs"
                )
            self._path.append((name, True))
            out = self._site(type(own).__name__, h, lambda: output)
            self._path.pop()
            self.last = out
            return out

        return [
            own.register_forward_pre_hook(before),
            own.register_forward_hook(after),
        ]
