"""Passes of noisy samples, or of samples through noisy weights, one trial of noise at a time.

`netdyn.measures.basins.sizes` evaluates them on a grid of amplitudes and
`netdyn.measures.basins.bracketing` near the crossing. Both use the same noise, which depends on the
seed, the trial and the sample's position (or the layer).
"""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from netdyn.errors import NetdynError
from netdyn.measures.basins.drawn_noise import drawn_noise
from netdyn.measures.basins.noise import checked_range, returned
from netdyn.networks.folding import FoldedLayer, wide
from netdyn.networks.inputs import as_labels, as_whole, check_finite
from netdyn.networks.propagation import as_logits
from netdyn.networks.reading import Network
from netdyn.runtime.products import linear
from netdyn.runtime.random_streams import generator

__all__ = ["STANDARDIZATIONS", "SampleNoise", "WeightNoise", "labelled_samples"]

# Noise is drawn for this many samples at a time, each block from its own stream, so that a sample's
# noise depends only on its position. It belongs to the definition: another value is other noise.
SAMPLES_PER_STREAM = 1000
# Samples of a pass, in complete blocks: few enough on CPUs for their activations to stay in the
# cache, many enough on GPUs for the launch of a kernel not to matter.
SAMPLES_PER_PASS = 1000
SAMPLES_PER_PASS_ON_GPU = 10_000


def labelled_samples(network: Network, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return samples (P, …) and their labels (P,), int64, as tensors on the network's device.

    Raises:
        NetdynError: for samples or labels that do not match the network or each other, and for
            samples that hold NaN or infinite values, or do in the network's precision.
    """
    x = network.samples(x)
    check_finite(x)
    if x.is_floating_point() and not x.to(network.dtype).isfinite().all():
        raise NetdynError(
            f"samples overflow in {network.dtype}, the network's precision: scale them, or convert "
            "the network (model.float(), model.double())"
        )
    return x, as_labels(y, x, network.classes)


def _samples_per_pass(device: torch.device) -> int:
    return SAMPLES_PER_PASS if device.type == "cpu" else SAMPLES_PER_PASS_ON_GPU


def _is_correct(folded: Sequence[FoldedLayer], h: Tensor, y: Tensor) -> Tensor:
    """Return which samples are classified as y, given h^(1) (S, N_1), which is overwritten."""
    for layer, after in zip(folded, [*folded[1:], None], strict=True):
        if after is None:
            break
        if type(layer.activation) is nn.ReLU:
            h = h.relu_()
        elif layer.activation is not None:
            h = layer.activation(h)
        h = linear(h, after.weight, after.bias)
    largest, prediction = as_logits(h).max(dim=1)
    return (prediction == y) & ~largest.isnan()


class SampleNoise:
    """Noise on the samples: see `sizes.sample_noise_correct` for the arguments.

    x and y are as `labelled_samples` returns them.
    """

    @torch.no_grad()
    def __init__(
        self,
        network: Network,
        x: Tensor,
        y: Tensor,
        seed: int,
        value_range: tuple[float, float] = (0.0, 1.0),
        noise_return: str = "affine",
    ):
        self._low, self._high = checked_range(x, value_range, noise_return)
        self._return = noise_return
        self._network, self._folded = network, network.folded()
        self._x, self._y, self._seed = x, y, as_whole(seed, "seed")

    @torch.no_grad()
    def correct(self, trial: int, amplitudes: Tensor, samples: Tensor | None = None) -> Tensor:
        """Return which noisy samples are classified as y in this trial, (A, S) of bool.

        Args:
            trial: number of the trial, from 0.
            amplitudes: a ≥ 0, (A, 1) the same for all samples, or (A, S) for each its own; at NaN
                a sample counts as wrong.
            samples: positions in x of the S samples, ascending, (S,); None means all.
        """
        count = len(self._x) if samples is None else len(samples)
        amplitudes = amplitudes.to(self._x.device).expand(-1, count)
        correct = torch.zeros(amplitudes.shape, dtype=torch.bool, device=self._x.device)
        starts = range(0, len(self._x), _samples_per_pass(self._x.device))
        for start, part in zip(starts, self._parts(starts, samples), strict=True):
            places = part if samples is None else samples[part]
            y = self._y[places]
            if len(y) == 0:
                continue
            clean = self._network.prepare(self._x[places])  # (S_b, N_0)
            noise = self._noise(trial, start, clean.shape[1])
            inside = slice(0, len(y)) if samples is None else places - start
            correct[:, part] = self._passed(clean, noise[inside], amplitudes[:, part], y)
        return correct

    def _passed(self, clean: Tensor, noise: Tensor, amplitudes: Tensor, y: Tensor) -> Tensor:
        """Return which of S_b samples with noise are classified as y, (A, S_b).

        Args: samples and their noise (S_b, N_0), amplitudes (A, S_b), and labels (S_b,).
        """
        first = self._folded[0]
        clean = clean.to(first.weight.dtype)
        noise = noise.to(clean)
        if self._return == "affine":
            # W(x + aε) = Wx + a·Wε: the widest product serves all amplitudes.
            z = linear(clean, first.weight, first.bias)  # (S_b, N_1)
            dz = (self._high - self._low) * linear(noise, first.weight)
        rows = []
        for a_row in amplitudes:
            a = a_row.unsqueeze(1).to(clean)  # (S_b, 1)
            if self._return == "affine":
                h = torch.addcmul(z, a, dz)
            else:
                span = self._low, self._high
                noisy = returned(clean, a * noise, span, self._return)
                h = linear(noisy, first.weight, first.bias)
            rows.append(_is_correct(self._folded, h, y))
        return torch.stack(rows)

    def _parts(self, starts: range, samples: Tensor | None) -> list[slice]:
        """Return which of the samples belong to each pass, whose first positions are `starts`."""
        if samples is None:
            ends = [min(start, len(self._x)) for start in [*starts, len(self._x)]]
        else:
            edges = torch.tensor([*starts, len(self._x)], dtype=torch.int64, device=samples.device)
            ends = torch.searchsorted(samples, edges).tolist()
        return [slice(*both) for both in itertools.pairwise(ends)]

    def _noise(self, trial: int, start: int, inputs: int) -> Tensor:
        """Return the noise of the samples of one pass, (a block at least, N_0)."""
        stop = min(start + _samples_per_pass(self._x.device), len(self._x))
        blocks = range(start // SAMPLES_PER_STREAM, math.ceil(stop / SAMPLES_PER_STREAM))
        noise = [self._block(trial, block, inputs) for block in blocks]
        return noise[0] if len(noise) == 1 else torch.cat(noise)

    def _block(self, trial: int, block: int, inputs: int) -> Tensor:
        def draw() -> Tensor:
            stream = generator(self._seed, "sample noise", trial, block)
            return torch.randn(
                SAMPLES_PER_STREAM, inputs, generator=stream, dtype=torch.float32, device="cpu"
            )

        key = "sample noise", self._seed, trial, block, inputs
        return drawn_noise(key, self._x.device, draw)


def _of_matrix(weights: Sequence[Tensor]) -> list[Tensor]:
    return [weight.std(correction=0) for weight in weights]


def _of_row(weights: Sequence[Tensor]) -> list[Tensor]:
    return [weight.std(dim=1, correction=0, keepdim=True) for weight in weights]


def _of_all(weights: Sequence[Tensor]) -> list[Tensor]:
    everything = torch.cat([weight.flatten() for weight in weights])
    return [everything.std(correction=0)] * len(weights)


# The weights that are standardised together: their standard deviation, () or (N_l, 1), per matrix.
STANDARDIZATIONS: dict[str, Callable[[Sequence[Tensor]], list[Tensor]]] = {
    "matrix": _of_matrix,
    "row": _of_row,
    "all": _of_all,
}


class WeightNoise:
    """Noise on all weight matrices: see `sizes.weight_noise_correct` for the arguments.

    x and y are as `labelled_samples` returns them.
    """

    @torch.no_grad()
    def __init__(
        self, network: Network, x: Tensor, y: Tensor, seed: int, standardization: str = "matrix"
    ):
        if standardization not in STANDARDIZATIONS:
            raise NetdynError(
                f"standardization {standardization!r} is unknown: choose one of "
                f"{', '.join(STANDARDIZATIONS)}"
            )
        if not all(isinstance(layer.linear.weight, nn.Parameter) for layer in network.layers):
            raise NetdynError(
                "a weight matrix is computed from other parameters (weight norm or the like): fold "
                "it in first, with torch.nn.utils.parametrize.remove_parametrizations"
            )
        weights = [layer.linear.weight for layer in network.layers]
        # By their memory, if they have any of their own: one may be a view of another.
        if len({weight.data_ptr() or id(weight) for weight in weights}) < len(weights):
            raise NetdynError(
                "two layers share one weight matrix, whose noise would not be the same in both: "
                "give each its own (copy.deepcopy)"
            )
        self._folded = network.folded()
        wide_weights = [weight.to(wide(weight.dtype)) for weight in weights]
        self._deviations = STANDARDIZATIONS[standardization](wide_weights)
        # Perturbed weights are written to these tensors: those of the model are left unchanged.
        self._noisy = [
            folded._replace(weight=torch.empty_like(folded.weight)) for folded in self._folded
        ]
        first = self._folded[0]
        self._inputs = network.prepare(x).to(first.weight.dtype)  # (P, N_0)
        self._z = linear(self._inputs, first.weight, first.bias)  # (P, N_1)
        self._y, self._seed = y, as_whole(seed, "seed")

    @torch.no_grad()
    def correct(self, trial: int, amplitudes: Tensor, samples: Tensor | None = None) -> Tensor:
        """Return which samples the noisy network of this trial classifies as y, (A, S) of bool.

        Args: as in `SampleNoise.correct`; samples of one amplitude pass together.
        """
        places = torch.arange(len(self._y), device=self._y.device) if samples is None else samples
        correct = torch.zeros(len(amplitudes), len(places), dtype=torch.bool, device=self._y.device)
        noise = self._noise(trial)
        # (W + aε)x = Wx + a·εx: the widest product serves all amplitudes.
        inputs = self._inputs if samples is None else self._inputs[places]
        dz = linear(inputs, noise[0])  # (S, N_1)
        all_samples = torch.arange(len(places), device=self._y.device)
        # Read on the CPU: reading from a GPU would wait for it at every amplitude.
        for row, a_row in zip(correct, amplitudes.cpu(), strict=True):
            for amplitude in a_row[~a_row.isnan()].unique().tolist():
                for noisy, clean, layer_noise in zip(
                    self._noisy[1:], self._folded[1:], noise[1:], strict=True
                ):
                    torch.add(clean.weight, layer_noise, alpha=amplitude, out=noisy.weight)
                chosen = all_samples
                if len(a_row) > 1:
                    chosen = (a_row == amplitude).nonzero().squeeze(1).to(all_samples.device)
                for part in chosen.split(_samples_per_pass(all_samples.device)):
                    h = torch.add(self._z[places[part]], dz[part], alpha=amplitude)
                    row[part] = _is_correct(self._noisy, h, self._y[places[part]])
        return correct

    def _noise(self, trial: int) -> list[Tensor]:
        """Return std(W)·ε of each layer, scaled as batch norm scales W."""
        noise = []
        for l, (layer, deviation) in enumerate(zip(self._folded, self._deviations, strict=True), 1):
            drawn = self._layer(trial, l, layer.weight).to(layer.weight)
            scale = deviation if layer.scale is None else deviation * layer.scale.unsqueeze(1)
            noise.append(drawn * scale)
        return noise

    def _layer(self, trial: int, l: int, weight: Tensor) -> Tensor:
        def draw() -> Tensor:
            stream = generator(self._seed, "weight noise", trial, l)
            return torch.randn(weight.shape, generator=stream, dtype=torch.float32, device="cpu")

        key = "weight noise", self._seed, trial, l, tuple(weight.shape)
        return drawn_noise(key, weight.device, draw)
