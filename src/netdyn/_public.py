"""The public names: where each stands, and where the modules of version 0.1 have gone.

Read as strings, so that neither list makes anything out of date or brings PyTorch.
"""

from importlib import import_module

__all__ = ["NAMES", "moved_to", "public", "raise_if_moved"]

# By the module, below netdyn, that holds them.
_HOMES = {
    "errors": "NetdynError",
    "networks.mlp": "MLP",
    "networks.reading": "local_fields logits",
    "analysis.reading": "read",
    "analysis.monitor": "Monitor",
    "networks.lmap": "linear_map linear_maps prune",
    "measures.ranks.rpd": "rank_probability rank_statistics rpd_gradient",
    "measures.basins.sizes": "basin_size sample_noise_correct weight_noise_correct",
    "measures.basins.bracketing": "find_basins",
    "results.runs": "load_model",
    "plots": "plot",
}
NAMES = {name: home for home, names in _HOMES.items() for name in names.split()}

# Modules of 0.1 by the room that they went to; `data`, `training` and `records` are rooms now.
_ROOMS = {
    "networks": "layers mlp propagation lmap jacobian running_statistics",
    "measures": "projections principal_components cones adversarial distances",
    "measures.ranks": "rpd ranking rank_sums neuron_sums",
    "measures.basins": "noise noisy_passes bracketing accuracy_curves crossings",
    "data": "datasets translation _torchvision_cpu",
    "training": "evaluation schedules checkpoints",
    "training.engine": "steps optimizers gradients blocks in_place precision used_inputs",
    "figures": "drawing",
    "claims": "pages",
    "plan": "settings schema shell_words",
    "results": "runs finished tables measured reference publishing lineage lineage_tree",
    "records": "files provenance import_graph",
    "runtime": "devices gpus products random_streams locks clocks terminal",
}
_MOVED = {name: f"{room}.{name}" for room, names in _ROOMS.items() for name in names.split()}
_MOVED |= {"basins": "measures.basins.sizes", "measurements": "quantities"}
_MOVED |= {"side_by_side": "runtime.threads"}


def public(name: str) -> object:
    """Return the public object of this name, importing what holds it.

    Raises:
        AttributeError: if there is none; for a module of 0.1 it names where that is now.
    """
    if name in NAMES:
        home = f"netdyn.{NAMES[name]}"
        if name == "plot":  # a module
            return import_module(f"{home}.{name}")
        return getattr(import_module(home), name)
    where = f": it is {moved_to(name)} now" if moved_to(name) else ""
    raise AttributeError(f"module 'netdyn' has no attribute {name!r}{where}")


def moved_to(name: str) -> str | None:
    """Return the full name of today of the module netdyn.`name` of 0.1; None if it was none."""
    return f"netdyn.{_MOVED[name]}" if name in _MOVED else None


def raise_if_moved(module: str) -> None:
    """Raise ImportError, with the name of today, for the full name of a module of 0.1."""
    now = moved_to(module.removeprefix("netdyn."))
    if now:
        # Without `name`: `from netdyn import …` passes over a module that names itself as missing.
        raise ModuleNotFoundError(
            f"{module} is {now} since netdyn 0.2; public names are imported from netdyn itself"
        )
