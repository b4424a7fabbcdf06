"""Attraction basins: how much noise on a sample or on the weights a classification tolerates.

`sample_noise_correct` and `weight_noise_correct` give, per noise amplitude and sample, the share of
trials in which the sample is classified as its label. The basin size is the amplitude at which that
share, as it is (single sample) or averaged over a class or all samples, falls below one half.
"""

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.measures.basins.noisy_passes import SampleNoise, WeightNoise, labelled_samples
from netdyn.measures.basins.traced_noise import sample_noise, weight_noise
from netdyn.networks.inputs import as_count, as_tensor, as_whole
from netdyn.networks.reading import Network, read
from netdyn.runtime.plain_mode import plain_mode
from netdyn.runtime.random_streams import generator

__all__ = [
    "basin_error",
    "basin_size",
    "basin_sizes",
    "sample_noise_correct",
    "weight_noise_correct",
]

ROUNDING = 1e-3  # of means that are summed in half precision


@plain_mode
def sample_noise_correct(
    model: nn.Module | Network,
    x: Tensor,
    y: Tensor,
    amplitudes: Sequence[float] | Tensor,
    trials: int,
    seed: int,
    value_range: tuple[float, float] = (0.0, 1.0),
    noise_return: str = "affine",
) -> Tensor:
    """Return the share of trials in which each noisy sample is classified as y, (A, P).

    Inputs are scaled to [0, 1], a·ε with standard normal ε is added, and the result is returned to
    the data's range (Sec. II.D). The network is measured in evaluation mode and left
    unchanged.

    Args:
        model: any network that `netdyn.read` reads, or what it returned.
        x: samples, (P, …), flattened to (P, N_0): floats within `value_range`, or bytes (uint8),
            which are pixels and divided by 255. A tensor, a numpy array or a list, as is y.
        y: labels in 0 … K−1, integers, (P,), or bools, of which True is class 1.
        amplitudes: standard deviations a ≥ 0 of the noise on the scale [0, 1], (A,).
        trials: number of draws of ε; the same ε serves every amplitude.
        seed: master seed; a sample's noise depends on the seed, the trial and its position in x.
        value_range: (low, high), the range of the data, such as (−0.4243, 2.8215) for MNIST's
            pixels normalised by their mean and deviation; (0, 1) for bytes.
        noise_return: "affine", "clip" or "range": see `noisy_samples`.

    Raises:
        NetdynError: for inputs that do not match, for samples outside of `value_range`, and as
            `noisy_samples` does.
    """
    amplitudes, trials = _checked(amplitudes, trials)
    network = read(model)
    x, y = labelled_samples(network, x, y)
    noise = sample_noise(network, x, y, seed, value_range, noise_return)
    return _shares(noise, amplitudes, trials)


@plain_mode
def weight_noise_correct(
    model: nn.Module | Network,
    x: Tensor,
    y: Tensor,
    amplitudes: Sequence[float] | Tensor,
    trials: int,
    seed: int,
    standardization: str = "matrix",
) -> Tensor:
    """Return the share of trials in which each sample is classified as y by noisy weights, (A, P).

    Every Linear layer's weight matrix, the output layer's included, becomes W + a·σ·ε with
    standard normal ε: standardised by mean and (population) standard deviation σ, perturbed, and
    transformed back, by which the mean drops out (Sec. II.D). Biases and all of batch norm stay as
    they are. The network is measured in evaluation mode and left unchanged.

    Args:
        model, x, y, trials, seed: as in `sample_noise_correct`; the noise depends on the seed, the
            trial and the layer.
        amplitudes: standard deviations a ≥ 0 in units of σ, (A,).
        standardization: the weights that σ is of: each "matrix", each "row" (a neuron's incoming
            weights), or "all" weights of the network together.

    Raises:
        NetdynError: for inputs that do not match, an unknown standardization, and a weight matrix
            that is computed from other parameters.
    """
    amplitudes, trials = _checked(amplitudes, trials)
    network = read(model)
    x, y = labelled_samples(network, x, y)
    return _shares(weight_noise(network, x, y, seed, standardization), amplitudes, trials)


def _shares(passes: SampleNoise | WeightNoise, amplitudes: list[float], trials: int) -> Tensor:
    rows = torch.tensor(amplitudes, dtype=torch.float64, device="cpu").unsqueeze(1)  # (A, 1)
    return sum(passes.correct(trial, rows).float() for trial in range(trials)) / trials


def _checked(amplitudes: Sequence[float] | Tensor, trials: int) -> tuple[list[float], int]:
    amplitudes = as_tensor(amplitudes, "amplitudes").double()
    listed = amplitudes.tolist()
    if amplitudes.ndim != 1 or not listed or not all(0 <= a < math.inf for a in listed):
        raise NetdynError(f"amplitudes {listed}: give finite numbers from 0 upwards")
    return listed, as_count(trials, "trials")


@plain_mode
def basin_size(
    amplitudes: Sequence[float] | Tensor, shares: Sequence[float] | Tensor, level: float = 0.5
) -> float:
    """Return the basin size of one accuracy curve `shares` (A,): see `basin_sizes`.

    Raises:
        NetdynError: as `basin_sizes`, and for a curve that holds NaN.
    """
    shares = as_tensor(shares, "shares").double()
    if shares.ndim != 1:
        raise NetdynError(
            f"shares of shape {tuple(shares.shape)}: give one curve, or use basin_sizes"
        )
    if shares.isnan().any():
        raise NetdynError("shares hold NaN: give accuracies in [0, 1]")
    return basin_sizes(amplitudes, shares.unsqueeze(1), level).item()


@plain_mode
def basin_sizes(amplitudes: Sequence[float] | Tensor, shares: Tensor, level: float = 0.5) -> Tensor:
    """Return the basin sizes (M,) of the accuracy curves in the columns of `shares` (A, M).

    The size is the smallest amplitude beyond which the curve, linear between the amplitudes, lies
    below `level`: the first downward crossing. It is 0 where the curve is already below at a = 0,
    inf where it never is, and NaN where the curve holds NaN.

    Args:
        amplitudes: (A,), strictly increasing from 0.
        shares: accuracies in [0, 1], (A, M): single samples as `sample_noise_correct` and
            `weight_noise_correct` give them, or their means over a class or over all samples.
        level: the accuracy to fall below, in (0, 1).

    Raises:
        NetdynError: for amplitudes that do not increase from 0 or do not match the curves, and for
            shares or a level out of range.
    """
    if not 0 < level < 1:
        raise NetdynError(f"level {level}: give an accuracy above 0 and below 1")
    shares = as_tensor(shares, "shares")
    if ((shares < -ROUNDING) | (shares > 1 + ROUNDING)).any():
        raise NetdynError(
            f"shares run from {shares.min().item():.6g} to {shares.max().item():.6g}: give shares "
            "in [0, 1], not percent"
        )
    a = as_tensor(amplitudes, "amplitudes").to(shares.device, torch.float64)
    if a.ndim != 1 or len(a) == 0 or a[0] != 0 or not (a.diff() > 0).all() or a.isinf().any():
        raise NetdynError(f"amplitudes {a.tolist()}: they must increase strictly from 0")
    if shares.ndim != 2 or len(shares) != len(a):
        raise NetdynError(
            f"shares of shape {tuple(shares.shape)} for {len(a)} amplitudes: give one row each"
        )
    curve = shares.double()  # (A, M)
    below = curve < level
    after = below.int().argmax(dim=0)  # (M,): the first amplitude below; 0 if there is none
    before = (after - 1).clamp(min=0)
    high, low = curve.gather(0, torch.stack([before, after]))  # (M,) each
    step = (high - level) / (high - low)
    size = a[before] + step * (a[after] - a[before])
    size = torch.where(after == 0, 0.0, size)
    size = torch.where(below.any(dim=0), size, torch.inf)
    size = torch.where(curve.isnan().any(dim=0), torch.nan, size)
    return size.to(shares.dtype) if shares.is_floating_point() else size


@plain_mode
def basin_error(
    amplitudes: Sequence[float] | Tensor,
    correct: Tensor,
    seed: int,
    resamples: int = 200,
    level: float = 0.5,
) -> float:
    """Return the standard error of the average basin size, by resampling the samples (bootstrap).

    Args:
        amplitudes: (A,), strictly increasing from 0.
        correct: shares of correct trials, (A, P); its columns are drawn with replacement.
        seed: master seed; the draws come from its stream "basin resampling".
        resamples: number of resampled average curves, at least 2.
        level: as in `basin_sizes`.

    Returns:
        The standard deviation of the resampled sizes. NaN where there is no finite size:
        the average curve's size is inf or NaN, or there are fewer than two samples. inf where the
        size is finite but a resampled one is not: the amplitudes do not bound it from above.

    Raises:
        NetdynError: as `basin_sizes`, and for fewer than 2 resamples.
    """
    if resamples < 2:
        raise NetdynError(f"resamples {resamples}: give at least two")
    seed = as_whole(seed, "seed")
    table = as_tensor(correct, "shares of correct trials").double()
    if table.ndim != 2:
        raise NetdynError(
            f"shares of correct trials of shape {tuple(table.shape)}: give (amplitudes, samples)"
        )
    samples = table.shape[1]
    size = basin_sizes(amplitudes, table.mean(dim=1, keepdim=True), level)
    if samples < 2 or not size.isfinite():
        return math.nan
    weights = _resampling_weights(samples, seed, resamples).to(table)  # (R, P)
    curves = table @ weights.T / samples  # (A, R)
    sizes = basin_sizes(amplitudes, curves, level)
    return math.inf if sizes.isinf().any() else sizes.std().item()


@functools.lru_cache(maxsize=4)
def _resampling_weights(samples: int, seed: int, resamples: int) -> Tensor:
    """Return how often each resample draws each sample, (R, P); cached, as many curves use it."""
    weights = torch.empty(resamples, samples, dtype=torch.int16, device="cpu")
    for resample in range(resamples):
        stream = generator(seed, "basin resampling", resample)
        drawn = torch.randint(samples, (samples,), generator=stream, device="cpu")
        weights[resample] = drawn.bincount(minlength=samples)
    return weights
