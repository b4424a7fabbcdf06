"""The smallest perturbation that changes a prediction, found along the logits' gradients.

DeepFool: S.-M. Moosavi-Dezfooli, A. Fawzi, P. Frossard, *DeepFool: a simple and accurate method to
fool deep neural networks*, CVPR 2016, Algorithm 2, for the L2 norm.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_count
from netdyn.networks.integer_samples import refuse_tokens
from netdyn.networks.reading import Network, read
from netdyn.runtime.plain_mode import plain_mode

__all__ = ["Flips", "deepfool"]


class Flips(NamedTuple):
    """Perturbations of P samples and their effect; all on the device of the samples."""

    perturbation: Tensor  # (P, N_0), the overshoot included
    distance: Tensor  # (P,), its L2 norm; NaN where no perturbation flips the prediction
    prediction: Tensor  # (P,), of the samples
    flipped_prediction: Tensor  # (P,), of the samples with their perturbations


@plain_mode
def deepfool(
    model: nn.Module | Network,
    x: Tensor,
    overshoot: float = 0.02,
    iterations: int = 50,
    longest_step: float = math.inf,
    chunk: int = 1000,
) -> Flips:
    """Return a small perturbation of each sample that changes its prediction.

    From the present position of the sample, each step leads to the nearest boundary between its
    predicted class k̂ and the others k, with the logits f linearised at that position:

        w_k = ∇f_k − ∇f_k̂,   k* = argmin_k |f_k − f_k̂| / ‖w_k‖,   r = |f_k* − f_k̂| / ‖w_k*‖² w_k*

    until the sample moved by (1 + overshoot)·Σr is predicted as another class. For a linear network
    one step gives the exact distance to the nearest boundary, times 1 + overshoot. The perturbed
    samples are not clipped to the data's range.

    Args:
        model: any network that `netdyn.read` reads, or what it returned; measured in evaluation
            mode and left unchanged.
        x: samples, (P, …), flattened to (P, N_0); bytes (uint8) are divided by 255.
        overshoot: η ≥ 0, by which the sum of the steps is lengthened, so that the sample ends
            beyond the boundary and not on it.
        iterations: largest number of steps; a sample that has not flipped by then has the distance
            NaN.
        longest_step: largest length of a step, > 0, in units of the inputs. Algorithm 2 sets no
            limit: on a deep network its first step, computed from linearised logits, can end far
            beyond the boundary. Short steps follow the gradient, and more of them are needed.
        chunk: samples processed at once; (chunk, K, N_0) gradients are held.

    Returns:
        `Flips`. For every distance that is not NaN the network was evaluated on the perturbed
        sample and predicted `flipped_prediction`, another class than `prediction`.

    Raises:
        NetdynError: for a negative overshoot, no iteration or no step.
    """
    if overshoot < 0 or iterations < 1 or not longest_step > 0:
        raise NetdynError(
            f"overshoot {overshoot}, iterations {iterations}, longest_step {longest_step}: "
            "give at least 0, at least 1, and more than 0"
        )
    chunk = as_count(chunk, "chunk")
    network = read(model)
    refuse_tokens(network, "adversarial perturbations")
    x = network.prepare(x)  # (P, N_0)
    parts = [
        _perturbation(network, part, overshoot, iterations, longest_step) for part in x.split(chunk)
    ]
    perturbation = torch.cat(parts)  # (P, N_0)
    before, after = network.logits(x), network.logits(x + perturbation)  # (P, K) each
    prediction, flipped_prediction = before.argmax(dim=1), after.argmax(dim=1)
    flips = (prediction != flipped_prediction) & (before + after).isfinite().all(dim=1)
    distance = torch.where(flips, perturbation.norm(dim=1), torch.nan)
    return Flips(perturbation, distance, prediction, flipped_prediction)


def _perturbation(
    network: Network, x: Tensor, overshoot: float, iterations: int, longest_step: float
) -> Tensor:
    total = torch.zeros_like(x)  # (P, N_0)
    prediction = _detached(network, x).argmax(dim=1)  # (P,)
    unflipped = torch.arange(len(x), device=x.device)
    for _ in range(iterations):
        if not len(unflipped):
            break
        # As in the authors' code a step starts with the overshoot included: one from the boundary
        # itself would have length zero, even where a curved boundary has not been crossed.
        reached = x[unflipped] + (1 + overshoot) * total[unflipped]
        total[unflipped] += _step(network, reached, prediction[unflipped], longest_step)
        reached = x[unflipped] + (1 + overshoot) * total[unflipped]
        unflipped = unflipped[_detached(network, reached).argmax(dim=1) == prediction[unflipped]]
    return (1 + overshoot) * total


def _detached(network: Network, x: Tensor) -> Tensor:
    return network.differentiable_pass(x)[1].detach()


def _step(network: Network, x: Tensor, prediction: Tensor, longest: float) -> Tensor:
    """Return the step (P, N_0) from x towards the nearest boundary of the linearised logits.

    Zero where all gradients are zero or not finite: no direction leads to a boundary.
    """
    outputs, gradients = _linearised(network, x)  # (P, K), (P, K, N_0)
    rows = torch.arange(len(x), device=x.device)
    normals = gradients - gradients[rows, prediction].unsqueeze(1)  # (P, K, N_0)
    gaps = (outputs - outputs[rows, prediction].unsqueeze(1)).abs()  # (P, K)
    lengths = normals.norm(dim=2)  # (P, K)
    # A length is zero where f_k − f_k̂ is constant, as for k̂ itself: it has no boundary.
    distances = torch.where(lengths > 0, gaps / lengths, torch.inf)
    nearest = distances.argmin(dim=1)  # (P,)
    scale = (distances.clamp(max=longest) / lengths)[rows, nearest].unsqueeze(1)  # (P, 1)
    return torch.where(scale.isfinite(), scale * normals[rows, nearest], 0.0)


@torch.enable_grad()
def _linearised(network: Network, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits (P, K) at x and their gradients (P, K, N_0)."""
    if x.device.type == "cpu":
        (x, *_), outputs = network.differentiable_pass(x)  # outputs (P, K)
        gradients = torch.stack(
            [torch.autograd.grad(f.sum(), x, retain_graph=True)[0] for f in outputs.unbind(1)], 1
        )
        return outputs.detach(), gradients
    # A copy of each sample for each logit: on a GPU one pass of all costs less than K passes.
    classes = network.classes
    copies = x.detach().repeat_interleave(classes, 0, output_size=len(x) * classes)
    (copies, *_), outputs = network.differentiable_pass(copies)
    outputs = outputs.unflatten(0, (len(x), classes))  # (P, K, K)
    (gradients,) = torch.autograd.grad(outputs.diagonal(dim1=1, dim2=2).sum(), copies)
    return outputs[:, 0].detach(), gradients.unflatten(0, (len(x), classes))
