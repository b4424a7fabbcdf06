"""Ten architectures of torchvision with random weights: measured or refused, at what cost.

`python benchmarks/architectures.py` prints the table of docs/limits.md; each runs in a process of
its own, whose peak memory is that of the architecture and of PyTorch.
"""

import argparse
import resource
import subprocess
import sys
import time

import torch

import netdyn
from netdyn.analysis.measuring import Analysis
from netdyn.data._torchvision_cpu import torchvision_datasets
from netdyn.networks.traced.maps import maps, offsets

NAMES = (
    *("resnet18", "vgg11_bn", "mobilenet_v2", "densenet121", "squeezenet1_1", "convnext_tiny"),
    *("vit_b_16", "googlenet", "shufflenet_v2_x1_0", "mnasnet1_0"),
)
CLASSES = 10
SAMPLES, MAP_SAMPLES, UNITS = 60, 4, 100


def network(name: str, pixels: int) -> torch.nn.Module:
    torchvision_datasets()  # lets torchvision be imported beside a CPU build of PyTorch
    from torchvision import models

    torch.manual_seed(0)
    own = {
        "vit_b_16": {"image_size": pixels},
        "googlenet": {"init_weights": True, "aux_logits": False},
    }
    model = getattr(models, name)(weights=None, num_classes=CLASSES, **own.get(name, {}))
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():  # vit's output layer starts from 0
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def reproduced(network: Analysis, x: torch.Tensor) -> float:
    """Return how far M_s x^(s) + b is from the logits of the pruned passes, relative to them.

    Of one sample, in float64, at the input and at the first, the middle and the last site.
    """
    traced = network.network
    chosen = sorted({0, 1, traced.depth // 2, traced.depth - 1})
    states = traced.selected_fields(
        x, lambda site, h: h.clone() if site in chosen else None, of_activations=True
    )
    activations = {site: torch.cat(states[site - 1]) for site in chosen if site}
    activations[0] = traced.prepare(x)
    weights, biases = maps(traced, x), offsets(traced, x)
    pruned = traced.pruned_logits(x, [site + 1 for site in chosen])
    off = [
        (
            (activations[s] @ weights[s].T + biases[s] - logits).abs().max() / logits.abs().max()
        ).item()
        for s, logits in zip(chosen, pruned, strict=True)
    ]
    return max(off)


def measure(name: str, pixels: int, exact: bool) -> str:
    model = network(name, pixels).eval()
    numbers = torch.Generator().manual_seed(0)
    x = torch.rand(SAMPLES, 3, pixels, pixels, generator=numbers)
    y = torch.arange(SAMPLES) % CLASSES
    try:
        netdyn.read(model, x[:2])
        by = "affine"
    except netdyn.NetdynError as error:
        by = str(error).partition(" ")[0].rpartition(".")[2]
    start = time.perf_counter()
    try:
        one = netdyn.read(model, x[:4], not_affine="freeze")
    except netdyn.NetdynError as error:
        return f"| {name} | refused: {error} | | | | | |"
    read = time.perf_counter() - start
    start = time.perf_counter()
    one.gradients(x, y, units=UNITS, map_samples=MAP_SAMPLES)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    off = ""
    if exact:
        one = netdyn.read(model.double(), x[:4].double(), not_affine="freeze")
        off = f"{reproduced(one, x[:1].double()):.0e}"
    what = "affine" if by == "affine" else f"frozen ({by} first)"
    widest = max(site.width for site in one.sites)
    return (
        f"| {name} | {what} | {len(one.sites)} | {widest:,} | {read:.1f} | {seconds:.1f} | "
        f"{memory:.1f} | {off} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=[*NAMES])
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--exact", action="store_true", help="compare maps with logits in float64")
    parser.add_argument("--here", action="store_true", help="in this process, without a heading")
    given = parser.parse_args()
    if given.here:
        for name in given.names:
            print(measure(name, given.pixels, given.exact))
        return
    print("| network | | sites | widest | read, s | g, s | memory, GB | maps off by |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    options = [f"--pixels={given.pixels}", *(["--exact"] if given.exact else [])]
    for name in given.names:
        command = [sys.executable, __file__, "--here", *options, name]
        print(
            subprocess.run(command, capture_output=True, encoding="utf-8").stdout.strip(),
            flush=True,
        )


if __name__ == "__main__":
    main()
