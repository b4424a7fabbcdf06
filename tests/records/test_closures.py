"""How much code each rule's result hangs on: where it grows, more is made again after a change."""

import re
from pathlib import Path

import pytest

from netdyn.quantities.modules import NAMED_OTHERWISE
from netdyn.records.import_graph import PACKAGE, source_files

ROOT = Path(__file__).parents[2]

# Modules behind each module that a rule names as its code, in version 0.1, before the rooms were
# built. Packages' own files are not counted: they hold a docstring, which is in no digest.
MODULES = {
    "training.train": 25,
    "data.datasets": 6,
    "data.translation": 5,
    "results.tables": 4,
    "results.lineage": 6,
    "results.publishing": 6,
    "results.reference": 5,
    "claims.scorecard": 28,
    "claims.readings": 53,
    "claims.pages": 5,
    "explorer.explorer": 15,  # since 0.2
    "figures.drawing": 7,
    "figures.fig1": 4,
    "figures.fig2": 4,
    "figures.fig3": 7,
    "figures.fig3_training": 7,
    "figures.fig4": 9,
    "figures.fig5": 8,
    "figures.fig6": 7,
    "figures.fig7": 7,
    "figures.multiverse": 8,
    "figures.noise_returns": 9,
    "figures.supplement": 9,
    "quantities.adversarial": 19,
    "quantities.basin_size": 17,
    "quantities.cone": 23,
    "quantities.cone_overlap": 23,
    "quantities.cone_shape": 23,
    "quantities.first_batch_statistics": 14,
    "quantities.fragile_sample": 22,
    "quantities.nearest_training_sample": 14,
    "quantities.noise_accuracy": 17,
    "quantities.projection": 16,
    "quantities.projection_course": 16,
    "quantities.pruning": 14,
    "quantities.rank_probability": 20,
    "quantities.region": 16,
    "quantities.region_share": 15,
    "quantities.rpd_gradient": 20,
    "quantities.sign_agreement": 15,
    "quantities.toy_neurons": 13,
}
# So many more are no reason to look why.
MARGIN = 2
# What 0.2 added on purpose, not counted either: each is new work, none a detour of an import.
ADDED = {
    "claims/sections.py": "the plan of the multiverse names sections without pandas",
    "claims/gradient_errors.py": "claims on small g say its error over samples",
    "results/verdicts.py": "words of verdicts that figures and claims share",
    "networks/reading.py": "a network is read once",
    "networks/inputs.py": "one door for samples, labels and arrays",
    "networks/parametrized.py": "a computed weight is that of evaluation mode",
    "runtime/plain_mode.py": "autocast and inference mode change no number",
    "networks/folding.py": "layers and their folding stood in networks/layers.py",
    "networks/elementwise.py": "activations of one's own are tested",
    "networks/own_code.py": "a forward or a hook of one's own is refused",
    "networks/comparing.py": "what is read is compared with what is run",
    "networks/foreign.py": "a message says what to give instead",
    "measures/basins/drawn_noise.py": "noise stays on a GPU",
    "measures/basins/traced_noise.py": "networks of any kind have basins",
    "networks/kinds.py": "a network may be read by either of two readers",
    "claims/options.py": "judges compute what a reading chooses",
    "measures/grokking.py": "claims and a monitor judge grokking by one rule",
    "measures/bounds.py": "and by one tolerance",
    "claims/fitted.py": "networks that do not fit may be left out",
    "records/run_settings.py": "a run's settings have a type",
    "records/job_settings.py": "so have those of jobs",
    "records/figure_settings.py": "and those of figures",
    "records/source_cache.py": "no job parses what another one parsed",
    "runtime/arithmetic.py": "the arithmetic is fixed and recorded",
    "runtime/torch_internals.py": "PyTorch's private names are in one file",
    "data/downloads.py": "a download ends where a server stalls",
    "networks/traced/calls.py": "programs of torch.export are traced",
    "plots/style.py": "figures of anybody's tables have the look of the paper's",
    "plots/noise_axes.py": "and their axes of noise",
    "figures/pages.py": "panels are chosen and arranged for one column and for slides",
    "plots/contrast.py": "colours keep a contrast that can be seen",
    "figures/rounding.py": "figures have the same bytes on every machine",
    **dict.fromkeys(
        (
            f"training/engine/{name}.py"
            for name in ("autograd", "batches", "copies", "cuda_graphs", "pacing", "shared")
        ),
        "steps on a GPU, and the engine behind one function",
    ),
    "training/engine/recorded_steps.py": "CUDA graphs",
    **dict.fromkeys(
        (f"plots/{name}.py" for name in ("gradients", "lines", "noise", "plane", "tables")),
        "figures draw by the public plots",
    ),
    "figures/phases_page.py": "where panels stand stood in figures/phases.py",
    "figures/depth_and_width.py": "Fig. 3i and j stood in figures/phases.py",
    "figures/enlarging.py": "insets stood in figures/projection_axes.py",
    "figures/region_outlines.py": "regions stood in figures/projection_axes.py",
    "figures/fragile_axes.py": "Fig. 5b stood in figures/fig5.py",
    "training/course.py": "what a run leaves behind stood in training/checkpoints.py",
    "training/new_runs.py": "and what it starts from in training/train.py",
    **dict.fromkeys(
        (
            f"training/engine/{name}.py"
            for name in (
                *("advancing", "stacked_batches", "stacked_network", "stacked_optimizer"),
                "stacked_steps",
            )
        ),
        "several runs train at once",
    ),
}


@pytest.mark.parametrize("module", [*MODULES])
def test_no_rules_code_has_grown(module):
    modules = [path for path in source_files(f"netdyn.{module}") if path.name != "__init__.py"]
    names = {path.relative_to(PACKAGE).as_posix() for path in modules} - ADDED.keys()
    assert len(names) <= MODULES[module] + MARGIN, sorted(names)


def test_what_was_added_is_there():
    assert all((PACKAGE / name).is_file() for name in ADDED)


def test_all_code_of_rules_is_counted():
    files = [*(ROOT / "workflow/rules").glob("*.smk"), *(PACKAGE / "plan").glob("*.py")]
    text = "".join(path.read_text() for path in files)
    named = set(re.findall(r'\bcode\(f?"netdyn\.([^"]+)"\)', text))
    whole = {name for name in named if "{" not in name}
    assert len(whole) >= 8
    assert whole <= {*MODULES}
    assert {name.partition("{")[0] for name in named - whole} == {"figures.", "data."}


@pytest.mark.parametrize(("room", "marked"), [("quantities", "measure"), ("figures", "draw")])
def test_every_quantity_and_figure_is_counted(room, marked):
    found = {
        f"{room}.{path.stem}"
        for path in (PACKAGE / room).glob("*.py")
        if f"\ndef {marked}(" in path.read_text() and path.stem != "drawing"
    }
    assert found == {name for name in MODULES if name.startswith(f"{room}.")} - {"figures.drawing"}
    if room == "quantities":
        assert {f"{room}.{module}" for module in NAMED_OTHERWISE.values()} <= found
