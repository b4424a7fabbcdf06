"""Noisy passes of networks that were traced, with the noise of the module `noisy_passes`.

A fully connected network has the same noise, draw for draw, by whichever reader it was read.
"""

import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.measures.basins.noise import checked_range, returned
from netdyn.measures.basins.noisy_passes import STANDARDIZATIONS, SampleNoise, WeightNoise
from netdyn.networks.folding import wide
from netdyn.networks.inputs import as_whole
from netdyn.networks.integer_samples import refuse_tokens
from netdyn.networks.kinds import ReadNetwork
from netdyn.networks.reading import Network

__all__ = ["sample_noise", "weight_noise"]


def sample_noise(network: ReadNetwork, *args: object) -> SampleNoise:
    """Return the noise on samples of a network that was read; args as for `SampleNoise`."""
    kind = SampleNoise if isinstance(network, Network) else _TracedSampleNoise
    return kind(network, *args)


def weight_noise(network: ReadNetwork, *args: object) -> WeightNoise:
    """Return the noise on weights of a network that was read; args as for `WeightNoise`."""
    kind = WeightNoise if isinstance(network, Network) else _TracedWeightNoise
    return kind(network, *args)


def _is_correct(logits: Tensor, y: Tensor) -> Tensor:
    largest, prediction = logits.max(dim=1)
    return (prediction == y) & ~largest.isnan()


class _TracedSampleNoise(SampleNoise):
    """Noise on the samples of a traced network."""

    def __init__(self, network, x, y, seed, value_range=(0.0, 1.0), noise_return="affine"):
        refuse_tokens(network, "sample noise")
        self._low, self._high = checked_range(x, value_range, noise_return)
        self._return = noise_return
        self._network = network
        self._x, self._y, self._seed = x, y, as_whole(seed, "seed")

    def _passed(self, clean: Tensor, noise: Tensor, amplitudes: Tensor, y: Tensor) -> Tensor:
        clean = clean.to(wide(clean.dtype))
        noise = noise.to(clean)
        span = self._low, self._high
        rows = []
        for a in amplitudes:
            noisy = returned(clean, a.unsqueeze(1).to(clean) * noise, span, self._return)
            rows.append(_is_correct(self._network.logits(noisy), y))
        return torch.stack(rows)


class _TracedWeightNoise(WeightNoise):
    """Noise on every parameter of two dimensions or more that multiplies what comes from samples.

    A kernel is a matrix of one row an output; a weight that is used twice has the same noise twice.
    """

    @torch.no_grad()
    def __init__(self, network, x, y, seed, standardization="matrix"):
        if standardization not in STANDARDIZATIONS:
            raise NetdynError(
                f"standardization {standardization!r} is unknown: choose one of "
                f"{', '.join(STANDARDIZATIONS)}"
            )
        if network.has_computed_weights:
            raise NetdynError(
                "a weight matrix is computed from other parameters (weight norm or the like): fold "
                "it in first, with torch.nn.utils.parametrize.remove_parametrizations"
            )
        if not network.weights:
            raise NetdynError("the network multiplies its samples by no weight matrix")
        self._network, self._x = network, x
        self._by_name = {n: p.detach() for n, p in network.model.named_parameters()}
        weights = [self._by_name[name] for name in network.weights]
        matrices = [weight.flatten(1).to(wide(weight.dtype)) for weight in weights]
        self._deviations = STANDARDIZATIONS[standardization](matrices)
        self._y, self._seed = y, as_whole(seed, "seed")

    @torch.no_grad()
    def correct(self, trial: int, amplitudes: Tensor, samples: Tensor | None = None) -> Tensor:
        """Return what `WeightNoise.correct` does."""
        places = torch.arange(len(self._y), device=self._y.device) if samples is None else samples
        correct = torch.zeros(len(amplitudes), len(places), dtype=torch.bool, device=self._y.device)
        noise = []
        named = zip(self._network.weights, self._deviations, strict=True)
        for l, (name, deviation) in enumerate(named, 1):
            weight = self._by_name[name]
            drawn = self._layer(trial, l, weight).to(weight).flatten(1)
            noise.append((drawn * deviation.to(weight)).view(weight.shape))
        for row, a_row in zip(correct, amplitudes.cpu(), strict=True):
            for amplitude in a_row[~a_row.isnan()].unique().tolist():
                noisy = dict(self._by_name)
                for name, one in zip(self._network.weights, noise, strict=True):
                    noisy[name] = noisy[name] + amplitude * one
                chosen = torch.arange(len(places), device=places.device)
                if len(a_row) > 1:
                    chosen = (a_row == amplitude).nonzero().squeeze(1).to(places.device)
                x, y = self._x[places[chosen]], self._y[places[chosen]]
                row[chosen] = _is_correct(self._network.logits(x, parameters=noisy), y)
        return correct
