"""The sample with the smallest basin, and slight perturbations that flip it (Fig. 5b)."""

from typing import Any

import pandas as pd
import torch
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.measures.cones import perturbed_samples
from netdyn.networks.reading import Network
from netdyn.quantities.perturbed import amplitude_grid
from netdyn.quantities.single_basins import SingleBasinsSettings, single_basins
from netdyn.quantities.subject import Subject

__all__ = ["FragileSampleSettings", "measure"]


class FragileSampleSettings(SingleBasinsSettings):
    """By which noise the sample is chosen, and by which it is shown."""

    held_out_trials: int  # of the independent noise, at each amplitude
    held_out_seed: int  # of that noise


def measure(subject: Subject, settings: FragileSampleSettings) -> pd.DataFrame:
    """Return the training sample with the smallest basin and perturbations of it, pixel by pixel.

    The sample is the one with the smallest basin among those that are classified correctly.
    Independent noise, which was not used for the choice, shows how weak a noise flips it;
    DeepFool's perturbation shows how small a perturbation along the gradient can be.

    Args:
        settings: steps, samples, amplitudes, trials, noise_return; held_out_trials and
            held_out_seed, of the independent noise.

    Returns:
        step, kind, pixel, value, name. kind "original": the sample; "noisy": the first held-out
        noisy version that is misclassified, at the smallest amplitude where most held-out trials
        are; "noise": its difference from the original; "flipped", "perturbation": the sample with
        DeepFool's perturbation, and the perturbation; all in units of inputs in [0, 1], pixel
        0 … N_0 − 1.
        "noisy" and "noise" are missing where no amplitude misclassifies most trials, "flipped" and
        "perturbation" where DeepFool has no flip.

        kind "summary" (pixel empty), a number per name: sample (its position among the measured
        ones), digit, basin, amplitude, held_out_flips (the misclassified share of trials there),
        flip_distance (L2 norm), prediction_original, prediction_noisy, prediction_flipped; empty
        where there is none.

    Raises:
        NetdynError: where no measured sample is classified correctly.
    """
    tables = []
    for step, network in subject.each_network(settings["steps"]):
        images, summary = _fragile(subject, network, settings)
        pixels = [
            pd.DataFrame({"kind": kind, "pixel": range(len(image)), "value": image.tolist()})
            for kind, image in images.items()
        ]
        numbers = {"name": list(summary), "value": pd.array(list(summary.values()), dtype=float)}
        table = pd.concat([*pixels, pd.DataFrame({"kind": "summary", **numbers})])
        tables.append(table.assign(step=step))
    columns = ["step", "kind", "pixel", "value", "name"]
    return pd.concat(tables, ignore_index=True)[columns].astype({"pixel": "Int64"})


def _fragile(
    subject: Subject, network: Network, settings: FragileSampleSettings
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the images (N_0,) by kind and the numbers by name of one network's sample."""
    basins, x, y = single_basins(subject, network, settings)
    right = network.logits(x).argmax(dim=1) == y
    if not right.any():
        raise NetdynError(f"{subject.run_folder} classifies none of {len(y)} samples correctly")
    chosen = torch.where(right, basins, torch.inf).argmin()
    original, label = x[chosen], y[chosen].item()
    flips = deepfool(network, original.unsqueeze(0))
    images = {"original": original}
    summary = {
        "sample": chosen.item(),
        "digit": label,
        "basin": basins[chosen].item(),
        "flip_distance": flips.distance.item(),
        "prediction_original": flips.prediction.item(),
    }
    noisy = _misclassified(network, original, label, settings)
    if noisy is not None:
        images |= {"noisy": noisy["image"], "noise": noisy["image"] - original}
        summary |= {name: noisy[name] for name in noisy if name != "image"}
    if flips.distance.isfinite():
        perturbation = flips.perturbation[0]
        images |= {"flipped": original + perturbation, "perturbation": perturbation}
        summary["prediction_flipped"] = flips.flipped_prediction.item()
    names = (
        "sample", "digit", "basin", "amplitude", "held_out_flips", "flip_distance",
        "prediction_original", "prediction_noisy", "prediction_flipped",
    )  # fmt: skip
    return images, {name: summary.get(name) for name in names}


def _misclassified(
    network: Network, original: Tensor, label: int, settings: FragileSampleSettings
) -> dict[str, Any] | None:
    """Return a misclassified noisy version at the first amplitude that misclassifies most trials.

    None if there is no such amplitude. The held-out noise has another stream than that of the
    basins, whatever the seed.
    """
    grid = amplitude_grid(settings["amplitudes"])
    (noisy,) = perturbed_samples(
        original.unsqueeze(0), grid, settings["held_out_trials"], settings["held_out_seed"],
        noise_return=settings["noise_return"],
    )  # (A, T, N_0)  # fmt: skip
    for amplitude, images in zip(grid, noisy, strict=True):
        predictions = network.logits(images).argmax(dim=1)  # (T,)
        flipped = predictions != label
        share = flipped.double().mean().item()
        if share > 0.5:
            first = flipped.int().argmax()
            return {
                "image": images[first],
                "amplitude": amplitude,
                "held_out_flips": share,
                "prediction_noisy": predictions[first].item(),
            }
    return None
