"""Loss and gradients of a network on a batch, made block by block: the training step on processors.

Automatic differentiation writes and reads every layer's local fields, their normalised values and
activations as arrays of all samples; of a network of many narrow layers the memory's speed then is
the limit, not the products. Here samples pass in blocks that stay in the processor's cache. Between
the blocks only z^(l) = W^(l) x^(l−1) is kept, from which

    y = γ (z − μ)/σ + β = s z + t,    x = f(y),

are made again where they are needed. With g = ∂loss/∂y and sums over the P samples of the batch,

    ∂β = Σ g,   ∂γ = Σ g (z − μ)/σ,   ∂z = s (g − ∂β/P − ∂γ (z − μ)/(σ P)),

so each layer takes one pass forward, one back. Networks without batch norm need no sums between
layers, and each block passes forward and back at once.

Threads of this process share the blocks, each with products of one thread, in a fixed division:
the bits follow from the batch, the network and the number of threads alone.
"""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from netdyn.in_place import IN_PLACE
from netdyn.layers import layers

__all__ = ["BlockGradients"]

# Values of a block's widest layer: several such arrays stay in a core's cache. Part of the bits.
BLOCK_VALUES = 2**18
# Multiplications of a batch below which threads of our own cost more than they bring: below, the
# products have threads of theirs.
WORTH_THREADS = 2**33


class BlockGradients:
    """Computes loss and gradients of one network again and again, in buffers that are kept."""

    def __init__(self, model: nn.Module, loss: str, threads: int):
        """
        Args:
            model: an `MLP` on the CPU, float32 or float64, batch norm before every activation or
                nowhere.
            loss: "cross_entropy" or "mse" (the mean over samples and outputs, on one-hot targets).
            threads: number of threads that share the blocks.
        """
        self.read = layers(model)
        self.loss, self.threads = loss, threads
        self.activations = [IN_PLACE[type(layer.activation)] for layer in self.read[:-1]]
        self.norms = [layer.norm for layer in self.read[:-1]]
        self.dtype = self.read[0].linear.weight.dtype
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        self.widths = [layer.linear.out_features for layer in self.read]
        self.multiplications = sum(layer.linear.weight.numel() for layer in self.read)
        self.samples = 0
        self.pool = ThreadPoolExecutor(threads, initializer=_begin_thread) if threads > 1 else None

    @torch.no_grad()
    def __call__(self, x: Tensor, labels: Tensor) -> Tensor:
        """Fill every parameter's `grad`, update running statistics, return the mean loss ().

        Args:
            x: the batch, (P, N_0), in the network's dtype.
            labels: classes, (P,).
        """
        if len(x) != self.samples:
            self._make_buffers(len(x))
        self.x, self.labels = x, labels
        if self.norms and self.norms[0] is not None:
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
        for worker in others:
            for total, part in zip(first.sums(), worker.sums(), strict=True):
                total += part
        return torch.stack([worker.loss for worker in self.workers]).sum()

    def _make_buffers(self, samples: int) -> None:
        threads = self.threads if samples * self.multiplications >= WORTH_THREADS else 1
        threads = min(threads, samples)
        self.samples = samples
        edges = [samples * i // threads for i in range(threads + 1)]
        widest = max(self.widths)
        rows = max(BLOCK_VALUES // widest, 16)
        normalised = bool(self.norms) and self.norms[0] is not None
        self.z = [
            torch.empty(samples, width, dtype=self.dtype)
            for width in (self.widths[:-1] if normalised else [])
        ]
        self.g = torch.empty(samples * widest if normalised else 0, dtype=self.dtype)
        self.scale: list[Tensor] = [torch.empty(0)] * len(self.norms)
        self.shift, self.mean, self.inverse = (list(self.scale) for _ in range(3))
        self.back: list[tuple[Tensor, Tensor]] = [(torch.empty(0),) * 2] * len(self.norms)
        self.workers = [
            _Worker(self, first, last, min(rows, last - first))
            for first, last in itertools.pairwise(edges)
        ]

    def _run(self, work: Callable[["_Worker"], None]) -> None:
        if len(self.workers) == 1:
            work(self.workers[0])
            return
        # Products of one thread each: a process-wide setting of the matrix library.
        torch.set_num_threads(1)
        try:
            others = [self.pool.submit(work, worker) for worker in self.workers[1:]]
            work(self.workers[0])
            for other in others:
                other.result()
        finally:
            torch.set_num_threads(self.threads)

    def _finish_statistics(self, l: int) -> None:
        """From the blocks' means and sums of squares to s, t and the running statistics."""
        norm = self.norms[l]
        counts = [count for worker in self.workers for count in worker.counts]
        means = torch.stack([mean for worker in self.workers for mean in worker.means])
        squares = sum(worker.squares for worker in self.workers)  # Σ (z − block's mean)²
        weight = torch.tensor(counts, dtype=self.dtype).unsqueeze(1) / self.samples
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
        """From the blocks' Σ g and Σ g (z − μ) to ∂β, ∂γ and the coefficients of ∂z."""
        norm = self.norms[l]
        _add(norm.bias.grad, [worker.sum_g for worker in self.workers])
        _add(norm.weight.grad, [worker.sum_gz for worker in self.workers])
        norm.weight.grad *= self.inverse[l]
        slope = -norm.weight.grad * self.inverse[l] / self.samples  # of z − μ
        offset = -norm.bias.grad / self.samples
        self.back[l] = self.scale[l] * slope, self.scale[l] * offset


class _Worker:
    """The blocks of one thread, its sums and its buffers of one block."""

    def __init__(self, of: BlockGradients, first: int, last: int, rows: int):
        self.of, self.first, self.last, self.rows = of, first, last, rows
        widths, dtype = of.widths, of.dtype
        weights = [layer.linear.weight for layer in of.read]
        biases = [layer.linear.bias for layer in of.read]
        if first == 0:
            self.dw = [weight.grad for weight in weights]
            self.db = [None if bias is None else bias.grad for bias in biases]
        else:
            self.dw = [torch.empty_like(weight) for weight in weights]
            self.db = [None if bias is None else torch.empty_like(bias) for bias in biases]
        widest = max(widths)
        self.flat = [torch.empty(rows * widest, dtype=dtype) for _ in range(3)]
        if not of.z:
            self.fields = [torch.empty(rows, width, dtype=dtype) for width in widths[:-1]]
        self.counts = [len(range(*block)) for block in self._blocks()]

    def sums(self) -> list[Tensor]:
        """Return this thread's part of the gradients of weights and biases."""
        return [*self.dw, *(db for db in self.db if db is not None)]

    def clear(self) -> None:
        self.loss = torch.zeros((), dtype=self.of.dtype)
        for total in self.sums():
            total.zero_()

    def _blocks(self) -> Iterator[tuple[int, int]]:
        for start in range(self.first, self.last, self.rows):
            yield start, min(start + self.rows, self.last)

    def _array(self, which: int, rows: int, width: int) -> Tensor:
        return self.flat[which][: rows * width].view(rows, width)

    def _gradient(self, start: int, stop: int, width: int) -> Tensor:
        """The block's place in the buffer of g, whatever the width of the layer."""
        widest = max(self.of.widths)
        return self.of.g[start * widest :][: (stop - start) * width].view(-1, width)

    def _activated(self, l: int, start: int, stop: int, which: int) -> Tensor:
        """Return x^(l) of a block, made from z^(l)."""
        of = self.of
        y = self._array(which, stop - start, of.widths[l])
        torch.addcmul(of.shift[l], of.z[l][start:stop], of.scale[l], out=y)
        return of.activations[l].forward(y)

    def forward(self, l: int) -> None:
        """z^(l) of all blocks, with their means and sums of squares."""
        of = self.of
        self.means, self.squares = [], torch.zeros(of.widths[l], dtype=of.dtype)
        weight = of.read[l].linear.weight.T
        for start, stop in self._blocks():
            x = of.x[start:stop] if l == 0 else self._activated(l - 1, start, stop, 0)
            z = torch.mm(x, weight, out=of.z[l][start:stop])
            if of.read[l].linear.bias is not None:
                z += of.read[l].linear.bias
            mean = z.mean(0)
            centred = torch.sub(z, mean, out=self._array(1, len(z), z.shape[1]))
            self.squares += centred.square_().sum(0)
            self.means.append(mean)

    def output(self) -> None:
        """Logits, loss, and g of the last hidden layer."""
        last = len(self.of.read) - 1
        self.clear()
        self._clear_sums(last - 1)
        for start, stop in self._blocks():
            x = self._activated(last - 1, start, stop, 0)
            d = self._loss(x, start, stop)
            self._back_through(last, d, x, start, stop)

    def backward(self, l: int) -> None:
        """From g of layer l to its weights' gradient and to g of the layer before."""
        of = self.of
        if l:
            self._clear_sums(l - 1)
        slope, offset = of.back[l]
        for start, stop in self._blocks():
            g = self._gradient(start, stop, of.widths[l])
            d = self._array(1, stop - start, of.widths[l])
            # Centred first: ∂z would lose digits where the mean is far from zero.
            torch.sub(of.z[l][start:stop], of.mean[l], out=d)
            torch.addcmul(offset, d, slope, out=d).addcmul_(g, of.scale[l])
            if l == 0:
                self.dw[0].addmm_(d.T, of.x[start:stop])
                if of.read[0].linear.bias is not None:
                    self.db[0] += d.sum(0)
                continue
            x = self._activated(l - 1, start, stop, 0)
            self._back_through(l, d, x, start, stop)

    def _back_through(self, l: int, d: Tensor, x: Tensor, start: int, stop: int) -> None:
        """From ∂z^(l) to the weights' gradient, to g of layer l − 1 and to its sums."""
        of = self.of
        self.dw[l].addmm_(d.T, x)
        if of.read[l].linear.bias is not None:
            self.db[l] += d.sum(0)
        g = self._gradient(start, stop, of.widths[l - 1])
        torch.mm(d, of.read[l].linear.weight, out=g)
        z = of.z[l - 1][start:stop]
        of.activations[l - 1].backward(g, x, lambda: z * of.scale[l - 1] + of.shift[l - 1])
        self.sum_g += g.sum(0)
        centred = torch.sub(z, of.mean[l - 1], out=x)  # x is not needed any more
        self.sum_gz += centred.mul_(g).sum(0)

    def _clear_sums(self, l: int) -> None:
        self.sum_g, self.sum_gz = torch.zeros(2, self.of.widths[l], dtype=self.of.dtype)

    def through(self) -> None:
        """Forward and back without batch norm, a block at a time."""
        of = self.of
        self.clear()
        for start, stop in self._blocks():
            values = [of.x[start:stop]]
            fields = []
            for l, activation in enumerate(of.activations):
                linear = of.read[l].linear
                z = self.fields[l][: stop - start]
                torch.addmm(linear.bias, values[-1], linear.weight.T, out=z)
                fields.append(z.clone() if activation.needs_field else z)
                values.append(activation.forward(z))
            d = self._loss(values[-1], start, stop)
            for l in reversed(range(len(of.read))):
                self.dw[l].addmm_(d.T, values[l])
                self.db[l] += d.sum(0)
                if l == 0:
                    break
                g = self._array(l % 2, stop - start, of.widths[l - 1])
                torch.mm(d, of.read[l].linear.weight, out=g)
                of.activations[l - 1].backward(g, values[l], lambda y=fields[l - 1]: y)
                d = g

    def _loss(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Add the block's share of the mean loss; return its gradient to the logits, (S, K)."""
        of = self.of
        linear = of.read[-1].linear
        logits = nn.functional.linear(x, linear.weight, linear.bias)
        target = of.labels[start:stop].unsqueeze(1)
        if of.loss == "cross_entropy":
            logarithms = logits.log_softmax(1)
            self.loss -= logarithms.gather(1, target).sum() / of.samples
            d = logarithms.exp_()
            d.scatter_add_(1, target, d.new_full((), -1.0).expand(target.shape))
            return d.div_(of.samples)
        d = logits.scatter_add_(1, target, logits.new_full((), -1.0).expand(target.shape))
        self.loss += d.square().sum() / (of.samples * d.shape[1])
        return d.mul_(2 / (of.samples * d.shape[1]))


def _begin_thread() -> None:
    # Both are settings of the thread that makes them.
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)


def _add(out: Tensor, parts: list[Tensor]) -> None:
    """Write the sum of the workers' parts, in their order."""
    out.copy_(parts[0])
    for part in parts[1:]:
        out += part
