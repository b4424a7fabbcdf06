"""A small workflow with readings, for tests of plans: its claims, its readings, its plans."""

import yaml
from settings_example import CONFIG, workflow_folder

from netdyn.plan.readings import plan_of

__all__ = ["READINGS", "plan_in", "reading"]

# Claims by table that they read; all others read a table that no reading changes.
TABLES = {
    "C01": ["wide_history", "wide_gradient"],
    "C02": ["deep_noise"],
    "C03": ["deep_noise", "deep_pruning"],
}


def reading(*claims, settings=None, **more):
    """Return a declared reading of these claims."""
    words = {
        "question": "which",
        "choice": "this one",
        "words": "the paper's",
        "section": "II",
        "added": "2026-11-27",
        "reason": "The paper does not say.",
    }
    laid = {"settings": settings} if settings else {}
    return {**words, **laid, **more, "claims": list(claims)}


READINGS = {
    "slow": reading("C01", "C02", "C03", settings={"runs": {"deep": {"learning_rate": 0.0001}}}),
    "clipped": reading("C02", settings={"measurements": {"deep_noise": {"noise_return": "clip"}}}),
    "both": reading("C02", "C03", crosses=["slow", "clipped"]),
    "common": reading("C17", options={"step": "common"}),
}


def plan_in(folder, readings=None, config=CONFIG, scale="demo", overrides=None):
    """Return the plan of a scale, or of one of its readings, in a new workflow folder."""
    workflow_folder(folder, config)
    declared = {"readings": READINGS if readings is None else readings}
    (folder / "workflow/readings.yaml").write_text(
        yaml.safe_dump(declared, sort_keys=False), encoding="utf-8"
    )
    ids = [f"C{number:02d}" for number in range(1, 55)]
    words = {"where": "Fig. 1", "section": "II", "claim": "It holds.", "kind": "own", "test": "it"}
    rows = [{"id": id, **words, "tables": TABLES.get(id, ["deep_projection"])} for id in ids]
    content = {"kinds": {"own": {}}, "claims": rows}
    (folder / "workflow/claims.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return plan_of(folder, overrides or {}, scale, folder / "settings")
