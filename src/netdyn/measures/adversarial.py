"""The smallest perturbation that changes a prediction, found along the logits' gradients.

DeepFool: S.-M. Moosavi-Dezfooli, A. Fawzi, P. Frossard, *DeepFool: a simple and accurate method to
fool deep neural networks*, CVPR 2016, Algorithm 2, for the L2 norm.
"""

import copy
import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.layers import layers
from netdyn.networks.propagation import logits, network_input

__all__ = ["Flips", "deepfool"]


class Flips(NamedTuple):
    """Perturbations of P samples and what they do; all on the samples' device."""

    perturbation: Tensor  # (P, N_0), the overshoot included
    distance: Tensor  # (P,), its L2 norm; NaN where no perturbation was found that flips
    prediction: Tensor  # (P,), of the samples
    flipped_prediction: Tensor  # (P,), of the samples with their perturbations


def deepfool(
    model: nn.Module,
    x: Tensor,
    overshoot: float = 0.02,
    iterations: int = 50,
    longest_step: float = math.inf,
    chunk: int = 1000,
) -> Flips:
    """Return a small perturbation of each sample that changes its prediction.

    From where the sample has come, each step goes to the nearest of the boundaries between its
    predicted class k̂ and the others k, the logits f taken as linear there:

        w_k = ∇f_k − ∇f_k̂,   k* = argmin_k |f_k − f_k̂| / ‖w_k‖,   r = |f_k* − f_k̂| / ‖w_k*‖² w_k*

    until the sample moved by (1 + overshoot)·Σr is predicted as another class. For a linear network
    one step gives the exact distance to the nearest boundary, times 1 + overshoot. The perturbed
    samples are not clipped to the data's range.

    Args:
        model: any network that `netdyn.networks.layers.layers` reads, of at least two classes;
            taken in evaluation mode and not touched.
        x: samples, (P, …), flattened to (P, N_0); bytes (uint8) are divided by 255.
        overshoot: η ≥ 0, by which the sum of the steps is lengthened, so that the sample ends
            behind the boundary and not on it.
        iterations: steps at most; a sample that has not flipped by then has the distance NaN.
        longest_step: what a step is shortened to, > 0, in units of the inputs. Algorithm 2 sets no
            limit, and on a deep network its first step, as long as the logits were linear, can end
            far behind the boundary; short steps, of which more are needed, follow the gradient.
        chunk: samples treated at once; (chunk, K, N_0) gradients are held.

    Returns:
        `Flips`; every distance that is not NaN is of a perturbation under which the network itself
        was seen to predict `flipped_prediction`, another class than `prediction`.

    Raises:
        NetdynError: for a network of one class, a negative overshoot, no iteration or no step.
    """
    if overshoot < 0 or iterations < 1 or not longest_step > 0:
        raise NetdynError(
            f"overshoot {overshoot}, iterations {iterations}, longest_step {longest_step}: "
            "give at least 0, at least 1, and more than 0"
        )
    network = copy.deepcopy(model).eval().requires_grad_(False)
    read = layers(network)
    if read[-1].linear.out_features < 2:
        raise NetdynError("the network has one class: no perturbation can change its prediction")
    x = network_input(read, x)  # (P, N_0)
    how = overshoot, iterations, longest_step
    parts = [_perturbation(network, part, *how) for part in x.split(chunk)]
    perturbation = torch.cat(parts)  # (P, N_0)
    before, after = logits(model, x), logits(model, x + perturbation)  # (P, K) each
    prediction, flipped_prediction = before.argmax(dim=1), after.argmax(dim=1)
    flips = (prediction != flipped_prediction) & (before + after).isfinite().all(dim=1)
    distance = torch.where(flips, perturbation.norm(dim=1), torch.nan)
    return Flips(perturbation, distance, prediction, flipped_prediction)


def _perturbation(
    network: nn.Module, x: Tensor, overshoot: float, iterations: int, longest_step: float
) -> Tensor:
    total = torch.zeros_like(x)  # (P, N_0)
    prediction = _detached(network, x).argmax(dim=1)  # (P,)
    staying = torch.arange(len(x), device=x.device)
    for _ in range(iterations):
        if not len(staying):
            break
        # As in the authors' own code a step starts behind the overshoot: one from the boundary
        # itself would have length zero, even where a curved boundary holds the sample back.
        reached = x[staying] + (1 + overshoot) * total[staying]
        total[staying] += _step(network, reached, prediction[staying], longest_step)
        reached = x[staying] + (1 + overshoot) * total[staying]
        staying = staying[_detached(network, reached).argmax(dim=1) == prediction[staying]]
    return (1 + overshoot) * total


@torch.no_grad()
def _detached(network: nn.Module, x: Tensor) -> Tensor:
    return network(x)


def _step(network: nn.Module, x: Tensor, prediction: Tensor, longest: float) -> Tensor:
    """Return the step (P, N_0) from x towards the nearest boundary of the linearised logits.

    Zero where all gradients are, or are not finite: there is no direction to go.
    """
    outputs, gradients = _linearised(network, x)  # (P, K), (P, K, N_0)
    rows = torch.arange(len(x), device=x.device)
    normals = gradients - gradients[rows, prediction].unsqueeze(1)  # (P, K, N_0)
    gaps = (outputs - outputs[rows, prediction].unsqueeze(1)).abs()  # (P, K)
    lengths = normals.norm(dim=2)  # (P, K)
    # Zero where f_k and f_k̂ move together, as for k̂ itself: no boundary lies that way.
    distances = torch.where(lengths > 0, gaps / lengths, torch.inf)
    nearest = distances.argmin(dim=1)  # (P,)
    scale = (distances.clamp(max=longest) / lengths)[rows, nearest].unsqueeze(1)  # (P, 1)
    return torch.where(scale.isfinite(), scale * normals[rows, nearest], 0.0)


@torch.enable_grad()
def _linearised(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits (P, K) at x and their gradients (P, K, N_0)."""
    if x.device.type == "cpu":
        x = x.detach().requires_grad_()
        outputs = network(x)  # (P, K)
        gradients = torch.stack(
            [torch.autograd.grad(f.sum(), x, retain_graph=True)[0] for f in outputs.unbind(1)], 1
        )
        return outputs.detach(), gradients
    # A copy of each sample for each logit: on a GPU one pass of all costs less than K passes.
    classes = layers(network)[-1].linear.out_features
    copies = x.detach().repeat_interleave(classes, 0, output_size=len(x) * classes)
    copies.requires_grad_()
    outputs = network(copies).unflatten(0, (len(x), classes))  # (P, K, K)
    own = outputs.diagonal(dim1=1, dim2=2).sum()
    (gradients,) = torch.autograd.grad(own, copies)
    return outputs[:, 0].detach(), gradients.unflatten(0, (len(x), classes))
