"""Networks of one shape as one network, whose tensors have a leading axis of runs.

With R runs, a layer's weights are W (R, N_l, N_{l−1}) and its products are those of `torch.bmm`.
Samples lie along the last axis, so that batch norm takes (run, neuron) as R·N_l channels, each with
the statistics of its own run. No operation sums over runs: one run's NaN reaches no other.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from netdyn.networks.layers import layers

__all__ = ["StackedGradients", "StackedNetwork"]


class StackedNetwork:
    """The weights of R networks; each given network becomes a view of its part of them.

    Attributes:
        runs: R.
    """

    def __init__(self, models: Sequence[nn.Sequential]):
        """Args: at least one `MLP`; all of one shape, dtype and device, without nesting."""
        self.runs = len(models)
        self._weights = _stack(models, nn.Module.named_parameters)
        self._buffers = _stack(models, nn.Module.named_buffers)
        self._layers = layers(models[0])  # for their kinds; the tensors are the stacked ones
        self._names = {id(module): name for name, module in models[0].named_children()}

    def parameters(self) -> list[nn.Parameter]:
        """Return all that an optimizer updates, each (R, …), in the order of a run's own."""
        return [*self._weights.values()]

    def buffers(self) -> list[Tensor]:
        """Return running statistics and counts of batches, each (R, …)."""
        return [*self._buffers.values()]

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits (R, P, K) of inputs x (R, P, N_0), in training mode.

        Running statistics are updated.
        """
        x = x.transpose(1, 2)  # (R, N_0, P)
        for layer in self._layers[:-1]:
            z = self._product(layer.linear, x)  # (R, N_l, P)
            x = layer.activation(z if layer.norm is None else self._normalised(layer.norm, z))
        return self._product(self._layers[-1].linear, x).transpose(1, 2)

    def _product(self, linear: nn.Linear, x: Tensor) -> Tensor:
        name = self._names[id(linear)]
        weight = self._weights[f"{name}.weight"]
        if linear.bias is None:
            return torch.bmm(weight, x)
        return torch.baddbmm(self._weights[f"{name}.bias"].unsqueeze(2), weight, x)

    def _normalised(self, norm: nn.BatchNorm1d, z: Tensor) -> Tensor:
        """Return batch norm of z (R, N_l, P) with the statistics of each run's own batch."""
        name = self._names[id(norm)]
        self._buffers[f"{name}.num_batches_tracked"].add_(1)
        statistics = (self._buffers[f"{name}.running_{which}"] for which in ("mean", "var"))
        factors = (self._weights[f"{name}.{which}"] for which in ("weight", "bias"))
        channels = (each.view(-1) for each in (*statistics, *factors))  # (R·N_l,)
        y = nn.functional.batch_norm(
            z.view(1, -1, z.shape[2]), *channels, True, norm.momentum, norm.eps
        )
        return y.view(z.shape)


def _stack(
    models: Sequence[nn.Sequential], named: Callable[[nn.Module], Iterable[tuple[str, Tensor]]]
) -> dict[str, Tensor]:
    """Stack the parameters, or the buffers, of networks; let theirs be views of the stacked."""
    stacked: dict[str, Tensor] = {}
    for place, module in models[0].named_children():
        for name, tensor in list(named(module)):
            modules = [model.get_submodule(place) for model in models]
            joint = torch.stack([getattr(each, name).detach() for each in modules])
            for run, each in enumerate(modules):
                is_parameter = isinstance(tensor, nn.Parameter)
                setattr(each, name, nn.Parameter(joint[run]) if is_parameter else joint[run])
            stacked[f"{place}.{name}"] = (
                nn.Parameter(joint) if isinstance(tensor, nn.Parameter) else joint
            )
    return stacked


class StackedGradients:
    """Losses and gradients of a stacked network by automatic differentiation."""

    def __init__(self, network: StackedNetwork, precision: str, loss: str, classes: int):
        """Args: the network; a run's precision and loss; number of classes K."""
        self._network, self._precision, self._loss = network, precision, loss
        weight = network.parameters()[0]
        self._ones = torch.ones(network.runs, dtype=weight.dtype, device=weight.device)
        self._one_hot = torch.eye(classes, dtype=weight.dtype, device=weight.device)

    def __call__(self, x: Tensor, labels: Tensor) -> Tensor:
        """Fill every parameter's `grad`, update running statistics, return mean losses (R,).

        Args: a batch of each run, (R, P, N_0), and its classes, (R, P).
        """
        for parameter in self._network.parameters():
            parameter.grad = None
        losses = self._losses(self._logits(x), labels)
        # Not of their sum, which would join the runs.
        torch.autograd.backward(losses, self._ones)
        return losses.detach()

    def _logits(self, x: Tensor) -> Tensor:
        if self._precision != "bfloat16":
            return self._network.logits(x)
        with torch.autocast(x.device.type, dtype=torch.bfloat16, cache_enabled=False):
            return self._network.logits(x).float()

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        runs, _, classes = logits.shape
        outputs, labels = logits.reshape(-1, classes), labels.reshape(-1)
        if self._loss == "cross_entropy":
            each = nn.functional.cross_entropy(outputs, labels, reduction="none")
        else:
            targets = self._one_hot.index_select(0, labels)
            each = nn.functional.mse_loss(outputs, targets, reduction="none")
        return each.view(runs, -1).mean(1)
