"""The traced reader beside the layered one and beside hooks written by hand, on one MLP.

    python benchmarks/traced.py --repeats 15

Prints median seconds of the processor, in turn, and behind each contender the ratio of the traced
reader's time to it, with the 95 % interval of the median ratio; all do the same work. "by hand" is
the plainest code for it: forward hooks that keep each activation's input, the L-maps by products
of the weights with batch norm folded in, and netdyn's ranks of both.
"""

import time
from typing import Annotated

import torch
import typer
from timing import in_turn
from torch import nn

import netdyn
from netdyn.analysis.measuring import Analysis
from netdyn.networks.mlp import MLP
from netdyn.networks.reading import read
from netdyn.networks.traced.reading import trace


class Wrapped(nn.Module):
    """A Sequential that only the traced reader reads."""

    def __init__(self, stack: nn.Sequential):
        super().__init__()
        self.stack = stack

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.stack(x)


def by_hand(model: MLP, x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    fields: list[torch.Tensor] = []
    relus = [module for module in model if isinstance(module, nn.ReLU)]
    hooks = [r.register_forward_pre_hook(lambda _, args: fields.append(args[0])) for r in relus]
    with torch.no_grad():
        model.eval()(x)
        for hook in hooks:
            hook.remove()
        maps, weight = [], None
        for module in reversed([*model]):
            if isinstance(module, nn.Linear):
                weight = module.weight if weight is None else weight @ module.weight
            elif isinstance(module, nn.BatchNorm1d):
                weight = weight * module.weight / (module.running_var + module.eps).sqrt()
            else:
                maps.append(weight)
        pairs = zip(fields, reversed(maps), strict=True)
        return [netdyn.rpd_gradient(field, y, weight) for field, weight in pairs]


def main(
    repeats: Annotated[int, typer.Option(help="of each contender")] = 15,
    samples: Annotated[int, typer.Option(help="P")] = 2000,
    depth: Annotated[int, typer.Option(help="L")] = 10,
    width: Annotated[int, typer.Option(help="N_l")] = 256,
) -> None:
    """Print the times."""
    torch.set_num_threads(1)
    numbers = torch.Generator().manual_seed(0)
    x, y = torch.rand(samples, 784, generator=numbers), torch.arange(samples) % 10
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MLP([784, *[width] * (depth - 1), 10])
    model.eval()
    wrapped, options = Wrapped(model), {"space": "weight", "trials": 4, "by_class": False}

    def traced() -> Analysis:
        return Analysis(trace(wrapped, x[:10]))

    def layered() -> Analysis:
        return Analysis(read(model))

    work = {
        "read": lambda reader: reader(),
        "read, gradients": lambda reader: reader().gradients(x, y, errors=False, units=None),
        "the same with errors": lambda reader: reader().gradients(x, y, units=None),
        "read, pruning": lambda reader: reader().pruning(x, y),
        "read, weight basin": lambda reader: reader().basins(x, y, **options),
    }
    print(f"784–{width}×{depth - 1}–10, {samples} samples, seconds (traced over it)")
    for name, measure in work.items():
        contenders = {
            "traced": lambda measure=measure: measure(traced),
            "layered": lambda measure=measure: measure(layered),
        }
        if name == "read, gradients":
            contenders["by hand"] = lambda: by_hand(model, x, y)
        times = in_turn(contenders, repeats, clock=time.process_time)
        told = [f"traced {times['traced']:.3f}"]
        for who in [*contenders][1:]:
            ratio, low, high = times.ratio("traced", who)
            told.append(f"{who} {times[who]:.3f} ({ratio:.2f}, {low:.2f} … {high:.2f})")
        print(f"{name:22} {'   '.join(told)}", flush=True)


if __name__ == "__main__":
    typer.run(main)
