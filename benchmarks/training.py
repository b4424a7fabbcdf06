"""Training steps: netdyn's, those of a plain loop, and the products in them alone."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from peers import FullBatch, Products, ShallowGrokking
from timing import Medians, in_turn

from netdyn.data import datasets
from netdyn.data import prepared as data
from netdyn.networks.mlp import initialise
from netdyn.results import runs
from netdyn.runtime.products import product, uses_onednn
from netdyn.training.engine.precision import multiplies_bfloat16
from netdyn.training.engine.steps import training_steps

ROOT = Path(__file__).parent.parent
SHALLOW = {
    **{"width": [200, 200], "activation": "relu", "batch_norm": False, "momentum": 0.1},
    **{"optimizer": "adamw", "learning_rate": 1e-3, "weight_decay": 0.01, "loss": "mse"},
    **{"batch_size": 200, "seed": 0, "threads": 1},
}
DEEP = {
    **SHALLOW,
    **{"width": [128] * 22, "batch_norm": True, "optimizer": "adam", "weight_decay": 0.0},
    **{"loss": "cross_entropy", "batch_size": "full"},
}


class Ours:
    """The steps of a run of netdyn, as `netdyn train` takes them."""

    def __init__(self, settings: dict, pixels: np.ndarray, labels: np.ndarray):
        self.model = runs.build_model(settings, 784, 10)
        initialise(self.model, settings["seed"])
        x = torch.from_numpy(pixels).flatten(1).float().div_(255)
        x = x.double() if settings["precision"] == "float64" else x
        self.steps = training_steps(self.model, x, torch.from_numpy(labels), settings, 10)
        self.count = 0

    def step(self) -> None:
        self.steps.step(self.count)
        self.count += 1


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random bytes as images (P, 28, 28), all inputs in use, and labels (P,)."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, 28, 28), dtype=np.uint8), random.integers(0, 10, count)


def mnist(count: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The first samples of MNIST, where its files lie in the data root; no download."""
    root = Path(os.environ.get("NETDYN_DATA_ROOT", ROOT / "data"))
    if not [*root.rglob("train-images-idx3-ubyte*")]:
        return None
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "mnist.safetensors"
        datasets.prepare("mnist", root, prepared, download=False)
        loaded = data.load(prepared)
        images = loaded.train_images[:count].reshape(-1, 28, 28)
        return images.numpy().copy(), loaded.train_labels[:count].numpy().copy()


def shallow(
    precision: str, threads: int, repeats: int, given: tuple[np.ndarray, np.ndarray]
) -> dict[str, float]:
    """784–200–200–10, batch 200: seconds a step, on images that use some or all inputs.

    The limit multiplies what netdyn's step does: the inputs that are used. The peer takes all.
    """
    torch.set_num_threads(threads)
    dtype = {"float32": torch.float32, "float64": torch.float64}[precision]
    settings = {**SHALLOW, "precision": precision, "threads": threads}
    widths = [inputs_used(given[0]), 200, 200, 10]
    contenders = {
        "netdyn": Ours(settings, *given).step,
        "peer": ShallowGrokking(*given, dtype).step,
        "limit": Products(200, widths, dtype).step,
    }
    if dtype == torch.float32 and uses_onednn():
        contenders["onednn"] = _by_onednn(200, widths)
    return in_turn(contenders, repeats, each=50)


def inputs_used(images: np.ndarray) -> int:
    return int(np.count_nonzero(images.max(axis=0)))


def deep(threads: int, repeats: int, count: int = 60_000) -> dict[str, float]:
    """23 × 128 with batch norm, full batch, float32: seconds a step."""
    torch.set_num_threads(threads)
    pixels, labels = samples(count)
    settings = {**DEEP, "precision": "float32", "threads": threads}
    plain = runs.build_model(settings, 784, 10)
    x = torch.from_numpy(pixels).flatten(1).float().div_(255)
    contenders = {
        "netdyn": Ours(settings, pixels, labels).step,
        "peer": FullBatch(plain, x, torch.from_numpy(labels)).step,
        "limit": Products(count, [784] + [128] * 22 + [10]).step,
    }
    if uses_onednn():
        contenders["onednn"] = _by_onednn(count, [784] + [128] * 22 + [10])
    return in_turn(contenders, repeats)


def _by_onednn(samples: int, widths: list[int]) -> Callable[[], None]:
    return torch.no_grad()(Products(samples, widths, multiply=product).step)


def deep_bfloat16(threads: int, repeats: int, count: int = 60_000) -> dict[str, float]:
    """The same network in bfloat16, as netdyn takes its steps, against float32 eager."""
    torch.set_num_threads(threads)
    pixels, labels = samples(count)
    settings = {**DEEP, "precision": "bfloat16", "threads": threads}
    plain = runs.build_model(settings, 784, 10)
    x = torch.from_numpy(pixels).flatten(1).float().div_(255)
    contenders = {
        "netdyn": Ours(settings, pixels, labels).step,
        "peer": FullBatch(plain, x, torch.from_numpy(labels)).step,
    }
    if multiplies_bfloat16(torch.device("cpu")):
        widths = [784] + [128] * 22 + [10]
        contenders["limit"] = Products(count, widths, torch.bfloat16).step
    return in_turn(contenders, repeats)


def seeds(
    threads: int, each: int, repeats: int, count: int = 8, steps: int = 25
) -> dict[str, float]:
    """So many seeds of the shallow network: seconds for one step of all of them.

    netdyn: runs of one thread each, as many side by side as there are cores, which is what the
    workflow does. Peer: the same steps of one run after the other, of `each` threads.
    """

    def run(own: int, seed: int) -> Ours:
        settings = {**SHALLOW, "precision": "float32", "seed": seed, "threads": own}
        return Ours(settings, *samples(1000))

    def take(one: Ours) -> None:
        for _ in range(steps):
            one.step()

    alone = [run(each, seed) for seed in range(count)]
    together = [run(1, seed) for seed in range(count)]
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def side_by_side() -> None:
        torch.set_num_threads(1)
        list(pool.map(take, together))

    def one_after_another() -> None:
        torch.set_num_threads(each)
        for one in alone:
            take(one)

    times = in_turn({"netdyn": side_by_side, "peer": one_after_another}, repeats)
    a_step = Medians({name: seconds / steps for name, seconds in times.items()})
    a_step.faster = times.faster
    return a_step
