"""What a competent user would write today with the same libraries: what netdyn is timed against."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from netdyn.data._torchvision_cpu import torchvision_datasets


class Images(Dataset):
    """Bytes as images, transformed one by one: how torchvision's MNIST hands them out."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, dtype: torch.dtype):
        torchvision_datasets()  # makes torchvision importable next to CPU builds of PyTorch
        from torchvision.transforms import ToTensor

        self.pixels, self.labels, self.dtype = pixels, labels, dtype
        self.transform = ToTensor()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self.transform(Image.fromarray(self.pixels[index]))
        return image.to(self.dtype), int(self.labels[index])


def shallow_network(dtype: torch.dtype) -> nn.Sequential:
    widths = [784, 200, 200, 10]
    modules: list[nn.Module] = [nn.Flatten()]
    for l, (before, after) in enumerate(itertools.pairwise(widths), 1):
        modules.append(nn.Linear(before, after))
        if l < len(widths) - 1:
            modules.append(nn.ReLU())
    return nn.Sequential(*modules).to(dtype)


class ShallowGrokking:
    """The loop of ref. [23]: per-item transforms, DataLoader, MSE on one-hot targets, AdamW."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, dtype: torch.dtype):
        self.model = shallow_network(dtype)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, weight_decay=0.01)
        loader = DataLoader(Images(pixels, labels, dtype), batch_size=200, shuffle=True)
        self.batches = itertools.chain.from_iterable(itertools.repeat(loader))
        self.one_hot = torch.eye(10, dtype=dtype)
        self.loss = nn.MSELoss()

    def step(self) -> None:
        x, labels = next(self.batches)
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), self.one_hot[labels])
        loss.backward()
        self.optimizer.step()


class FullBatch:
    """The standard loop, the one batch of all samples kept in memory: autograd, Adam."""

    def __init__(self, model: nn.Sequential, x: Tensor, labels: Tensor, bfloat16: bool = False):
        self.model, self.bfloat16 = model.train(), bfloat16
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        self.x, self.labels = x, labels

    def step(self) -> None:
        self.optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            outputs = self.model(self.x)
        loss = nn.functional.cross_entropy(outputs.float(), self.labels)
        loss.backward()
        self.optimizer.step()


def rank_probability(
    fields: np.ndarray, labels: np.ndarray, signs: np.ndarray, bins: int = 100
) -> tuple[np.ndarray, np.ndarray]:
    """RPD (K, bins) and gradient (K,) by definition: sort, pick the class, histogram.

    For every class and neuron the signed local fields are sorted and the class's ranks counted;
    the gradient is 12·(½ − mean rank).
    """
    samples, neurons = fields.shape
    classes = len(signs)
    density, gradient = np.zeros((classes, bins)), np.zeros(classes)
    for k in range(classes):
        for i in range(neurons):
            order = np.argsort(-signs[k, i] * fields[:, i])
            ranks = (np.flatnonzero(labels[order] == k) + 0.5) / samples
            density[k] += np.histogram(ranks, bins, (0, 1), density=True)[0] / neurons
            gradient[k] += 12 * (0.5 - ranks.mean()) / neurons
    return density, gradient


class Products:
    """The matrix products of a training step alone: the limit of its time.

    As PyTorch makes them, or by the library that netdyn takes for large ones of float32.
    """

    def __init__(
        self,
        samples: int,
        widths: list[int],
        dtype: torch.dtype = torch.float32,
        multiply: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None,
    ):
        self.multiply = multiply or (lambda a, b, out: torch.mm(a, b, out=out))
        self.x = [torch.randn(samples, width).to(dtype) for width in widths]
        self.w = [(torch.randn(o, i) / o**0.5).to(dtype) for i, o in itertools.pairwise(widths)]
        self.dw = [torch.empty_like(w) for w in self.w]

    def step(self) -> None:
        for l, w in enumerate(self.w):
            self.multiply(self.x[l], w.T, self.x[l + 1])
        for l in reversed(range(len(self.w))):
            self.multiply(self.x[l + 1].T, self.x[l], self.dw[l])
            if l:
                self.multiply(self.x[l + 1], self.w[l], self.x[l])
