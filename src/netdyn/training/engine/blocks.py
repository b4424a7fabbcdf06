"""One thread's part of a training step: its blocks of samples, forward and back."""

from collections.abc import Iterator

import torch
from torch import Tensor

from netdyn.runtime.products import add_product, linear, product
from netdyn.runtime.torch_internals import batch_moments
from netdyn.training.engine.shared import Shared

__all__ = ["Blocks"]


class Blocks:
    """The blocks of one thread, its sums and its buffers of one block."""

    def __init__(self, of: Shared, first: int, last: int, rows: int):
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
        self.flat = [
            torch.empty(rows * widest, dtype=dtype, device="cpu") for _ in range(3 if of.z else 0)
        ]
        if of.rounded:
            self.rounded = [
                torch.empty(rows * widest, dtype=of.stored, device="cpu") for _ in range(2)
            ]
            # Running statistics without use; they give the statistics their precision.
            self.unused = [
                torch.zeros(2, width, dtype=dtype, device="cpu") for width in widths[:-1]
            ]
            self.products = [torch.empty_like(weight, dtype=of.stored) for weight in weights]
        self.counts = [len(range(*block)) for block in self._blocks()]

    def sums(self) -> list[Tensor]:
        """Return this thread's part of the gradients of weights and biases."""
        return [*self.dw, *(db for db in self.db if db is not None)]

    def _blocks(self) -> Iterator[tuple[int, int]]:
        for start in range(self.first, self.last, self.rows):
            yield start, min(start + self.rows, self.last)

    def _array(self, which: int, rows: int, width: int) -> Tensor:
        return self.flat[which][: rows * width].view(rows, width)

    def _gradient(self, start: int, stop: int, width: int) -> Tensor:
        """The block's place in the buffer of g, whatever the width of the layer."""
        widest = max(self.of.widths)
        return self.of.g[start * widest :][: (stop - start) * width].view(-1, width)

    def _exact(self, stored: Tensor, which: int) -> Tensor:
        """Return a block's stored values in the network's dtype: themselves, or in a buffer."""
        if not self.of.rounded:
            return stored
        return self._array(which, *stored.shape).copy_(stored)

    def _factor(self, values: Tensor, which: int) -> Tensor:
        """Return a block's values as a factor of a product: themselves, or rounded in a buffer."""
        if not self.of.rounded:
            return values
        return self.rounded[which][: values.numel()].view(values.shape).copy_(values)

    def _centred(self, l: int, z: Tensor, which: int) -> Tensor:
        """Return z^(l) − μ of a block in a buffer; where z is rounded, z: μ is subtracted later.

        That loses digits where μ is far from zero, but a rounded z has lost more there.
        """
        if self.of.rounded:
            return self._exact(z, which)
        return torch.sub(z, self.of.mean[l], out=self._array(which, *z.shape))

    def _activated(self, l: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return x^(l) of a block as a factor, and its z^(l) unrounded.

        They may lie in the first two buffers. l = −1: both are the inputs.
        """
        of = self.of
        if l < 0:
            return of.x[start:stop], of.x[start:stop]
        z = self._exact(of.z[l][start:stop], 0)
        y = torch.addcmul(of.shift[l], z, of.scale[l], out=self._array(1, *z.shape))
        return self._factor(of.activations[l].forward(y), 0), z

    def forward(self, l: int) -> None:
        """Compute z^(l) of all blocks, with their means and sums of squares."""
        of = self.of
        self.means, self.squares = [], torch.zeros(of.widths[l], dtype=of.dtype, device="cpu")
        for start, stop in self._blocks():
            x, _ = self._activated(l - 1, start, stop)
            z = linear(x, of.factors[l], out=of.z[l][start:stop])
            if of.read[l].linear.bias is not None:
                z += of.read[l].linear.bias
            if of.rounded:
                mean, variance = batch_moments(z, self.unused[l])
                self.squares += variance * len(z)
            else:
                mean = z.mean(0)
                centred = torch.sub(z, mean, out=self._array(1, len(z), z.shape[1]))
                self.squares += centred.square_().sum(0)
            self.means.append(mean)

    def output(self) -> None:
        """Compute logits, loss, and g of the last hidden layer."""
        last = len(self.of.read) - 1
        self.loss = torch.zeros((), dtype=self.of.dtype, device="cpu")
        self._clear_sums(last - 1)
        for start, stop in self._blocks():
            x, z = self._activated(last - 1, start, stop)
            d = self._loss(x, start, stop)
            self._back_through(last, d, x, z, start, stop)

    def backward(self, l: int) -> None:
        """Compute the weights' gradient of layer l, and g of layer l − 1, from g of layer l."""
        of = self.of
        if l:
            self._clear_sums(l - 1)
        slope, offset = of.back[l]
        for start, stop in self._blocks():
            g = self._exact(self._gradient(start, stop, of.widths[l]), 1)
            d = self._centred(l, of.z[l][start:stop], 2)
            torch.addcmul(offset, d, slope, out=d).addcmul_(g, of.scale[l])
            x, z = self._activated(l - 1, start, stop)
            if l:
                self._back_through(l, d, x, z, start, stop)
            else:
                self._add_products(0, d, x, start)

    def _back_through(self, l: int, d: Tensor, x: Tensor, z: Tensor, start: int, stop: int) -> None:
        """Compute the weights' gradient, g of layer l − 1 and its sums from ∂z^(l).

        Args: x^(l−1) and z^(l−1) as `_activated` returns them.
        """
        of = self.of
        factor = self._add_products(l, d, x, start)
        stored = product(factor, of.factors[l], self._gradient(start, stop, of.widths[l - 1]))
        of.activations[l - 1].backward(stored, x, lambda: z * of.scale[l - 1] + of.shift[l - 1])
        g = self._exact(stored, 2)  # overwrites d, which is no longer needed
        self.sum_g += g.sum(0)
        self.sum_gz += (z if of.rounded else self._centred(l - 1, z, 1)).mul_(g).sum(0)

    def _add_products(self, l: int, d: Tensor, x: Tensor, start: int) -> Tensor:
        """Add a block's ∂z^(l) to its layer's gradients, x a factor; return it as a factor."""
        factor = self._factor(d, 1)
        if not self.of.rounded:
            add_product(self.dw[l], factor.T, x, first=start == self.first)
        else:
            summand = product(factor.T, x, self.products[l])
            _add(self.dw[l], summand, first=start == self.first)
        self._add_biases(l, d, start)
        return factor

    def _add_biases(self, l: int, d: Tensor, start: int) -> None:
        if self.db[l] is not None:
            _add(self.db[l], d.sum(0), first=start == self.first)

    def _clear_sums(self, l: int) -> None:
        self.sum_g, self.sum_gz = torch.zeros(
            2, self.of.widths[l], dtype=self.of.dtype, device="cpu"
        )

    def through(self) -> None:
        """Pass forward and back without batch norm, a block at a time."""
        of = self.of
        self.loss = torch.zeros((), dtype=of.dtype, device="cpu")
        for start, stop in self._blocks():
            values = [of.x[start:stop]]
            fields = []
            for l, activation in enumerate(of.activations):
                z = linear(values[-1], of.weights[l], of.read[l].linear.bias)
                fields.append(z.clone() if activation.needs_field else z)
                values.append(activation.forward(z))
            d = self._loss(values[-1], start, stop)
            for l in reversed(range(len(of.read))):
                add_product(self.dw[l], d.T, values[l], first=start == self.first)
                self._add_biases(l, d, start)
                if l == 0:
                    break
                g = linear(d, of.weights[l].T)
                of.activations[l - 1].backward(g, values[l], lambda y=fields[l - 1]: y)
                d = g

    def _loss(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Add the block's share of the mean loss; return its gradient to the logits, (S, K).

        Args: x^(L−1) as a factor, (S, N_{L−1}).
        """
        of = self.of
        bias = of.read[-1].linear.bias
        bias = None if bias is None else bias.to(of.stored)
        logits = linear(x, of.factors[-1], bias).to(of.dtype)
        target = of.labels[start:stop].unsqueeze(1)
        if of.loss == "cross_entropy":
            logarithms = logits.log_softmax(1)
            self.loss -= logarithms.gather(1, target).sum() / of.samples
            d = logarithms.exp_()
            d.scatter_(1, target, -1.0, reduce="add")
            return d.div_(of.samples)
        d = logits.scatter_(1, target, -1.0, reduce="add")
        self.loss += d.square().sum() / (of.samples * d.shape[1])
        return d.mul_(2 / (of.samples * d.shape[1]))


def _add(total: Tensor, part: Tensor, first: bool) -> None:
    """Add a part to a total; the first part overwrites it."""
    if first:
        total.copy_(part)
    else:
        total += part
