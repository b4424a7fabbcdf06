"""Slow, obvious versions of the measurements, straight from their definitions."""

import copy
import itertools

import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from netdyn.data import prepared
from netdyn.networks.layers import layers
from netdyn.runtime.random_streams import generator


def cells(values):
    """The cell [start/P, end/P] of every sample, largest value first, ties sharing their block."""
    samples = len(values)
    found = []
    for value in values:
        larger = sum(other > value for other in values)
        equal = sum(other == value for other in values)
        found.append((larger / samples, (larger + equal) / samples))
    return found


def projected(fields, signs, k, i):
    sign = (signs[k, i] > 0).item() - (signs[k, i] < 0).item()
    return [h * sign for h in fields[:, i].tolist()]


def rank_probability(fields, labels, signs, bins):
    """Every class-k sample spreads the density 1/n_k evenly over its cell; bins integrate it."""
    classes, neurons = signs.shape
    density = torch.zeros(classes, bins, dtype=torch.float64)
    for k, i in itertools.product(range(classes), range(neurons)):
        spread = cells(projected(fields, signs, k, i))
        own = [cell for cell, label in zip(spread, labels.tolist(), strict=True) if label == k]
        for start, end in own:
            for b in range(bins):
                overlap = min(end, (b + 1) / bins) - max(start, b / bins)
                if overlap > 0:
                    density[k, b] += overlap / (end - start) * bins / len(own) / neurons
    return density


def mean_rank_gradient(fields, labels, signs):
    """12 (1/2 − mean r), r the centre of a sample's cell."""
    gradient = torch.zeros(signs.shape, dtype=torch.float64)
    for k, i in itertools.product(*map(range, signs.shape)):
        spread = cells(projected(fields, signs, k, i))
        own = [sum(cell) / 2 for cell, y in zip(spread, labels.tolist(), strict=True) if y == k]
        gradient[k, i] = 12 * (0.5 - sum(own) / len(own))
    return gradient


def auc_gradient(fields, labels, signs):
    """12 (P − n_k)/P · (AUC − 1/2), AUC by scikit-learn."""
    gradient = torch.zeros(signs.shape, dtype=torch.float64)
    for k, i in itertools.product(*map(range, signs.shape)):
        own = labels == k
        auc = roc_auc_score(own, projected(fields, signs, k, i))
        gradient[k, i] = 12 * (~own).double().mean() * (auc - 0.5)
    return gradient


def linear_map(model, layer):
    """Send zero and the unit vectors through the layers behind x^(layer), activations taken out."""
    modules = []
    for linear, norm, *_ in layers(model)[layer:]:
        modules += [linear, norm] if norm is not None else [linear]
    tail = nn.Sequential(*copy.deepcopy(modules)).eval()
    inputs = tail[0].in_features
    with torch.no_grad():
        bias = tail(torch.zeros(1, inputs, dtype=torch.float64))[0]
        columns = tail(torch.eye(inputs, dtype=torch.float64)) - bias
    return columns.T, bias


def returned(noisy, value_range, noise_return):
    """One noisy sample on the scale [0, 1], value by value back to the data's range."""
    low, high = value_range
    values = noisy.tolist()
    if noise_return == "clip":
        values = [min(max(value, 0.0), 1.0) for value in values]
    if noise_return == "range":
        least, most = min(values), max(values)
        values = [(value - least) / (most - least) for value in values]
    return torch.tensor([low + (high - low) * value for value in values], dtype=noisy.dtype)


def sample_noise_correct(model, x, y, amplitudes, trials, seed, value_range, noise_return):
    """Amplitude by amplitude, trial by trial, sample by sample; for at most 1,000 samples."""
    model = copy.deepcopy(model).eval()
    low, high = value_range
    table = torch.zeros(len(amplitudes), len(x))
    for a, trial in itertools.product(range(len(amplitudes)), range(trials)):
        noise = torch.randn(1000, x.shape[1], generator=generator(seed, "sample noise", trial, 0))
        for mu in range(len(x)):
            noisy = (x[mu] - low) / (high - low) + amplitudes[a] * noise[mu].to(x.dtype)
            with torch.no_grad():
                outputs = model(returned(noisy, value_range, noise_return).unsqueeze(0))
            table[a, mu] += (outputs.argmax() == y[mu]).item() / trials
    return table


def standardised_together(weights, standardization):
    """Return, weight for weight, all those with which it shares mean and standard deviation."""
    everything = torch.cat([weight.flatten() for weight in weights])
    shared = {
        "matrix": lambda weight: weight.flatten().expand(len(weight), -1),
        "row": lambda weight: weight,
        "all": lambda weight: everything.expand(len(weight), -1),
    }[standardization]
    return [shared(weight.clone()) for weight in weights]  # of each matrix, row by row: (N_l, M)


def weight_noise_correct(model, x, y, amplitudes, trials, seed, standardization="matrix"):
    """Amplitude by amplitude, trial by trial, each on a fresh copy."""
    table = torch.zeros(len(amplitudes), len(x))
    for a, trial in itertools.product(range(len(amplitudes)), range(trials)):
        perturbed = copy.deepcopy(model).eval()
        linears = [module for module in perturbed.modules() if isinstance(module, nn.Linear)]
        weights = [linear.weight.detach().clone() for linear in linears]
        together = standardised_together(weights, standardization)
        for l, (linear, weight, group) in enumerate(
            zip(linears, weights, together, strict=True), 1
        ):
            noise = torch.randn(weight.shape, generator=generator(seed, "weight noise", trial, l))
            mean = group.mean(dim=1, keepdim=True)
            deviation = (group - mean).square().mean(dim=1, keepdim=True).sqrt()
            standardised = (weight - mean) / deviation + amplitudes[a] * noise.to(weight)
            linear.weight.data = standardised * deviation + mean
        with torch.no_grad():
            table[a] += (perturbed(x).argmax(dim=1) == y).float() / trials
    return table


def basin_size(amplitudes, shares, level=0.5):
    """Walk along the curve, segment by segment."""
    if shares[0] < level:
        return 0.0
    points = zip(amplitudes, shares, strict=True)
    for (a, high), (b, low) in itertools.pairwise(points):
        if low < level:
            return a + (b - a) * (high - level) / (high - low)
    return float("inf")


def naive_translation(image, side, down, right):
    moved = [0] * (side * side)
    for row in range(side):
        for column in range(side):
            if 0 <= row + down < side and 0 <= column + right < side:
                moved[(row + down) * side + column + right] = int(image[row * side + column])
    return moved


def write_prepared(path, arrays):
    """Write four uint8 arrays as the prepared file of a data set "toy" of three classes."""
    shapes = {name: array.shape for name, array in arrays.items()}
    prepared.write(path, shapes, arrays.values(), {"dataset": "toy", "classes": "3"})
