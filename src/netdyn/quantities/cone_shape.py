"""Shape of a single sample's cone and its share within the basin, by noise (Fig. 4h, 5a)."""

import pandas as pd

from netdyn.measures.cones import cone_shapes
from netdyn.quantities.apexes import (
    ReturnedApexSettings,
    noise_amplitudes,
    projection_of,
    single_sample_cones,
)
from netdyn.quantities.subject import Subject

__all__ = ["measure"]

COLUMNS = [
    "step", "noise_return", "sample", "digit", "shift", "amplitude",
    "spread", "drift", "distance_to_common", "kept",
]  # fmt: skip


def measure(subject: Subject, settings: ReturnedApexSettings) -> pd.DataFrame:
    """Return the shape of each sample's cone at each amplitude (see `cones.ConeShapes`).

    Args:
        settings: as for `netdyn.quantities.cone`, but noise_return is a list of returns.

    Returns:
        step, noise_return, sample (position among the run's training samples), digit, shift,
        amplitude, spread, drift, distance_to_common (in units of the projection), kept (share of
        the trials that keep the prediction of the unperturbed sample).
    """
    project = projection_of(settings["projection"], subject.samples("train")[0])
    tables = []
    for measured in single_sample_cones(subject, settings, project, settings["noise_return"]):
        numbers = cone_shapes(measured.cones)._asdict()  # (S, A) each
        numbers["kept"] = measured.cones.kept.double().mean(dim=2)
        for a, amplitude in enumerate(noise_amplitudes(settings)):
            keys = {
                "step": measured.step,
                "noise_return": measured.noise_return,
                "amplitude": amplitude,
            }
            values = {name: number[:, a].tolist() for name, number in numbers.items()}
            tables.append(measured.samples.assign(**keys, **values))
    return pd.concat(tables, ignore_index=True)[COLUMNS]
