"""Loss and gradients of a network on a batch, block by block: the training step on processors.

Automatic differentiation writes and reads every layer's local fields, normalised values and
activations as arrays of all samples. For many narrow layers the speed of the memory is then the
limit, not the products. Here samples pass in blocks that stay in the processor's cache. Between
passes only z^(l) = W^(l) x^(l−1) is stored, from which

    y = γ (z − μ)/σ + β = s z + t,    x = f(y),

are computed again where they are needed. With g = ∂loss/∂y and sums over the P samples,

    ∂β = Σ g,   ∂γ = Σ g (z − μ)/σ,   ∂z = s (g − ∂β/P − ∂γ (z − μ)/(σ P)),

so each layer takes one pass forward, one back. Networks without batch norm need no sums between
layers, and each block passes forward and back at once.

Threads of this process divide the blocks among them, each with products of one thread. The
division is fixed, so the bits follow from the batch, the network and the number of threads alone.

In bfloat16, as in autocast, factors and results of the products are rounded, and so are z, x and g.
All else is float32, the sums over samples included.
"""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from netdyn.networks.layers import layers
from netdyn.runtime.threads import one_thread_each, workers
from netdyn.training.engine.blocks import Blocks
from netdyn.training.engine.in_place import IN_PLACE

__all__ = ["BlockGradients"]

# Values of a block's widest layer: several such arrays fit into a core's cache. Part of the bits.
BLOCK_VALUES = 2**18
# Multiplications of a batch below which these threads cost more than they save; below, the products
# use their own threads.
WORTH_THREADS = 2**33


class BlockGradients:
    """Computes loss and gradients of one network, batch after batch, in the same buffers."""

    def __init__(
        self, model: nn.Module, loss: str, threads: int, factors: torch.dtype | None = None
    ):
        """Prepare the blocks of a network.

        Args:
            model: an `MLP` on the CPU, float32 or float64, batch norm before every activation or
                nowhere.
            loss: "cross_entropy" or "mse" (the mean over samples and outputs, on one-hot targets).
            threads: number of threads that share the blocks.
            factors: dtype that the products' factors and results are rounded to: the network's, or
                bfloat16, which needs a processor with instructions for it and a network with batch
                norm.
        """
        self.read = layers(model)
        self.loss, self.threads = loss, threads
        self.activations = [IN_PLACE[type(layer.activation)] for layer in self.read[:-1]]
        self.norms = [layer.norm for layer in self.read[:-1]]
        self.weights = [layer.linear.weight.detach() for layer in self.read]
        self.dtype = self.weights[0].dtype
        self.stored = factors or self.dtype
        self.rounded = self.stored is not self.dtype
        self.normalised = bool(self.norms) and self.norms[0] is not None
        if self.rounded and not self.normalised:
            raise ValueError(f"{self.stored} products need a network with batch norm")
        self.factors = [weight.to(self.stored) for weight in self.weights]
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.widths = [layer.linear.out_features for layer in self.read]
        self.multiplications = sum(layer.linear.weight.numel() for layer in self.read)
        self.samples = 0
        self.pool = workers(threads) if threads > 1 else None

    @torch.no_grad()
    def __call__(self, x: Tensor, labels: Tensor) -> Tensor:
        """Fill every parameter's `grad`, update running statistics, return the mean loss ().

        Args:
            x: the batch, (P, N_0), in the network's dtype.
            labels: classes, (P,).
        """
        if len(x) != self.samples:
            self._make_buffers(len(x))
        self.x = self.inputs.copy_(x) if self.rounded else x
        self.labels = labels
        for factor, weight in zip(self.factors, self.weights, strict=True):
            if factor is not weight:
                factor.copy_(weight)
        if self.normalised:
            for l in range(len(self.norms)):
                self._run(lambda worker, l=l: worker.forward(l))
                self._finish_statistics(l)
            self._run(lambda worker: worker.output())
            for l in reversed(range(len(self.norms))):
                self._finish_sums(l)
                self._run(lambda worker, l=l: worker.backward(l))
        else:
            self._run(lambda worker: worker.through())
        first, *others = self.workers  # the first's sums are the gradients themselves
        loss = first.loss
        for worker in others:
            for total, part in zip(first.sums(), worker.sums(), strict=True):
                total += part
            loss += worker.loss
        return loss

    def _make_buffers(self, samples: int) -> None:
        threads = self.threads if samples * self.multiplications >= WORTH_THREADS else 1
        threads = min(threads, samples)
        self.samples = samples
        if self.rounded:
            self.inputs = self._buffer(samples, self.weights[0].shape[1])
        edges = [samples * i // threads for i in range(threads + 1)]
        widest = max(self.widths)
        # Rounded values need half the memory.
        rows = max((2 * BLOCK_VALUES if self.rounded else BLOCK_VALUES) // widest, 16)
        self.z = [
            self._buffer(samples, width) for width in (self.widths[:-1] if self.normalised else [])
        ]
        self.g = self._buffer(samples * widest if self.normalised else 0)
        self.scale: list[Tensor] = [self._buffer(0)] * len(self.norms)
        self.shift, self.mean, self.inverse = (list(self.scale) for _ in range(3))
        self.back: list[tuple[Tensor, Tensor]] = [(self._buffer(0),) * 2] * len(self.norms)
        self.workers = [
            Blocks(self, first, last, min(rows, last - first))
            for first, last in itertools.pairwise(edges)
        ]

    def _buffer(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self.stored, device="cpu")

    def _run(self, work: Callable[[Blocks], None]) -> None:
        if len(self.workers) == 1:
            work(self.workers[0])
            return
        with one_thread_each():
            others = [self.pool.submit(work, worker) for worker in self.workers[1:]]
            work(self.workers[0])
            for other in others:
                other.result()

    def _finish_statistics(self, l: int) -> None:
        """Compute s, t and the running statistics from the blocks' means and sums of squares."""
        norm = self.norms[l]
        counts = [count for worker in self.workers for count in worker.counts]
        means = torch.stack([mean for worker in self.workers for mean in worker.means])
        squares = sum(worker.squares for worker in self.workers)  # Σ (z − block's mean)²
        weight = torch.tensor(counts, dtype=self.dtype, device="cpu").unsqueeze(1) / self.samples
        mean = (weight * means).sum(0)
        variance = squares / self.samples + (weight * (means - mean).square()).sum(0)
        self.mean[l], self.inverse[l] = mean, (variance + norm.eps).rsqrt()
        self.scale[l] = norm.weight * self.inverse[l]
        self.shift[l] = norm.bias - mean * self.scale[l]
        unbiased = variance * (self.samples / max(self.samples - 1, 1))
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(unbiased, norm.momentum)
        norm.num_batches_tracked += 1

    def _finish_sums(self, l: int) -> None:
        """Compute ∂β, ∂γ and the coefficients of ∂z from the blocks' Σ g and Σ g (z − μ).

        Where z is rounded, from Σ g z, and coefficients of z instead of z − μ.
        """
        norm = self.norms[l]
        _add(norm.bias.grad, [worker.sum_g for worker in self.workers])
        _add(norm.weight.grad, [worker.sum_gz for worker in self.workers])
        if self.rounded:
            norm.weight.grad -= self.mean[l] * norm.bias.grad
        norm.weight.grad *= self.inverse[l]
        slope = -norm.weight.grad * self.inverse[l] / self.samples  # of z − μ
        offset = -norm.bias.grad / self.samples
        if self.rounded:
            offset -= slope * self.mean[l]
        self.back[l] = self.scale[l] * slope, self.scale[l] * offset


def _add(out: Tensor, parts: list[Tensor]) -> None:
    """Write the sum of the workers' parts, in their order."""
    out.copy_(parts[0])
    for part in parts[1:]:
        out += part
