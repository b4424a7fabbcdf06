# The plan of a scale, and the environment that jobs run in.
#
# In:  the command line's configuration (config), which wins over the scale and over config.yaml.
# Out: plan(scale), figure_files(…), SCALE, and the functions that rules ask for their inputs.

import atexit
import functools
import gc
import os
import shlex
import subprocess
import sys
from pathlib import Path

from netdyn.runtime.clocks import date_back
from netdyn.errors import NetdynError
from netdyn.plan.targets import Plan
from netdyn.plan.written import code
from netdyn.plan.shell_words import declarable, repeated
from netdyn.runtime.visible_gpus import a_gpu_is_visible

# A DAG of thousands of jobs is millions of objects, none of them garbage: looking for some among
# them again and again takes a sixth of a dry run, and as much once more when Snakemake ends.
gc.set_threshold(1_000_000)
atexit.register(gc.freeze)

# Jobs call the Python that runs Snakemake, also where its environment is not activated. A prefix
# takes the place of Snakemake's own, which is what makes a failure on the left of a pipe count.
shell.prefix(
    f"set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
)


@functools.cache
def plan(scale):
    """Return the plan of a scale; a mistake in its settings ends in one line."""
    try:
        return Plan(Path(workflow.basedir), config, scale)
    except NetdynError as error:
        raise SystemExit(f"error: {error}") from None


def asked(method):
    """Turn a plan's method into an input function: its arguments are wildcards of the same name."""

    def inputs(wildcards):
        try:
            return method(plan(wildcards.scale), wildcards)
        except NetdynError as error:
            raise SystemExit(f"error: {error}") from None

    return inputs


def behind(method, *arguments):
    """Turn a plan's method into an input function of a target, asked when the target is.

    Targets name many thousands of files: only the one that is asked for reads its own.
    """

    def inputs(wildcards):
        try:
            return method(plan(SCALE), *arguments)
        except NetdynError as error:
            raise SystemExit(f"error: {error}") from None

    return inputs


def plan_or_none(scale):
    """Return the plan of a scale that is not asked for, unless the overrides don't suit it."""
    try:
        return Plan(Path(workflow.basedir), config, scale)
    except NetdynError:
        return None


def figure_files(scale, collection, *figures):
    return [
        f"results/{scale}/{collection}/{figure}.{ending}"
        for figure in figures or plan(scale).figures()
        for ending in ("pdf", "png", "json")
    ]


def files_needed(plan, *figures):
    """Return the tables, their parts and the runs behind figures.

    Targets name them, because a file that a failed job has left missing is not made again for the
    sake of an older table or figure that was once made from it: that one would pass for current.
    """
    tables = [
        table
        for figure in figures or plan.figures()
        for table in plan.figure_tables(figure)
    ]
    return plan.files_needed(list(dict.fromkeys(tables)))


# The report's categories.
SECTIONS = {
    "fig1": "II. Basic concepts and methods",
    "fig2": "III. Applications to shallow networks",
    "fig3": "IV. Applications to DNNs",
    "fig3_training": "IV. Applications to DNNs",
    "fig4": "IV. Applications to DNNs",
    "fig5": "IV. Applications to DNNs",
    "fig6": "V. Phase transition and grokking",
    "fig7": "V. Phase transition and grokking",
    "supplement": "Supplement",
}


def section(wildcards):
    """Return the section of the paper that a figure belongs to."""
    return SECTIONS[wildcards.figure]


def is_redrawn(wildcards):
    """Return whether a figure or the scorecard is made from committed tables."""
    return "redrawn" in (wildcards.get("collection"), wildcards.get("scored"))


def table_folder(wildcards):
    """Return the folder of the tables that a figure or the scorecard is made from."""
    folder = "reference/tables" if is_redrawn(wildcards) else "tables"
    return f"results/{wildcards.scale}/{folder}"


def upstreams(plan, wildcards, tables):
    """Return what stands for all that these tables rest on; committed ones stand for themselves."""
    return [] if is_redrawn(wildcards) else plan.upstreams(tables)


def records(tables):
    """Return the records by which a job checks the tables that it reads.

    What makes a job run again is the tables: their records hold times too. Committed tables have
    theirs in the repository.
    """
    made = [path for path in tables if "/reference/" not in path]
    return [
        ancient(
            str(Path(path).with_name("manifest.json"))
            if Path(path).name == "history.csv"
            else f"{path}.json"
        )
        for path in made
    ]


# What is not redrawn, for which tables, once that was asked for.
LEFT_OUT = {}


def redrawable(plan):
    """Return the figures whose tables are committed as a whole; say what is left out."""
    LEFT_OUT.update(plan.left_out())
    say_what_is_left_out()
    return [
        path
        for figure in plan.figures()
        if figure not in LEFT_OUT
        for path in figure_files(plan.scale, "redrawn", figure)
    ]


def not_redrawable(wildcards):
    """Return the files of the figures that are left out."""
    return [
        path
        for figure in plan(SCALE).figures()
        if figure in LEFT_OUT
        for path in figure_files(SCALE, "redrawn", figure)
    ]


def say_what_is_left_out():
    if LEFT_OUT:
        print(
            "warning: left out, for tables that are not committed, or not of all runs:",
            *(f"  {name}: {', '.join(tables)}" for name, tables in LEFT_OUT.items()),
            "restore these tables from the repository, or make them: "
            f"snakemake keep --config scale={SCALE}",
            sep="\n",
            file=sys.stderr,
        )


def scored_tables(plan, wildcards):
    """Return the tables of the scorecard; redrawn, only those that were committed."""
    there = plan.committed() if is_redrawn(wildcards) else plan.claim_tables()
    tables = [table for table in plan.claim_tables() if table in there]
    return [f"{table_folder(wildcards)}/{table}.csv" for table in tables]


def check_device():
    """End in one line where this machine lacks the device that was asked for."""
    command = [sys.executable, "-m", "netdyn", "device"]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        raise SystemExit(1)


SCALE = config.get("scale") or plan("demo").config["scale"]

# Paths may name any scale, so the settings of each that a target names are laid out beside those of
# the one asked for; a job on a cluster finds them so.
for scale in ("demo", "cpu", "paper") if workflow.is_main_process else ():
    if scale != SCALE and not any(f"results/{scale}/" in word for word in sys.argv):
        continue
    found = plan(scale) if scale == SCALE else plan_or_none(scale)
    try:
        if found:
            found.write_settings()
    except NetdynError as error:
        if scale == SCALE:
            raise SystemExit(f"error: {error}") from None
    except OSError as error:
        raise SystemExit(
            f"error: {error.filename or 'results'}: {error.strerror}: "
            "results/ must be a folder that can be written to, with space left"
        ) from None

# A clock that was wrong has left dates in the future, with which no job can end well.
try:
    date_back([*Path("results").rglob("*"), plan(SCALE).claims])
except OSError as error:
    raise SystemExit(
        f"error: {error.filename}: {error.strerror}: it is dated in the future, touch it"
    ) from None

# How jobs run, not what they compute: handed on by the environment, so that moving the data or
# changing the device or the engine makes nothing out of date. The command line wins over the environment.
HANDED_ON = {
    f"NETDYN_{key.upper()}": key
    for key in ("data_root", "device", "engine", "checkpoint_seconds")
}
for variable, key in HANDED_ON.items():
    if key in config or variable not in os.environ:
        os.environ[variable] = str(plan(SCALE).config[key])
ON_DEVICE = ("train_run", "measure_run")
DEVICE = os.environ["NETDYN_DEVICE"]
GPUS = int(DEVICE == "cuda" or (DEVICE == "auto" and a_gpu_is_visible()))


onstart:
    # One error before anything runs, instead of one from each job. On a cluster this machine may
    # lack the GPU that the jobs will have, so there each job finds out for itself.
    if workflow.local_exec and DEVICE not in ("auto", "cpu"):
        if any(job.rule.name in ON_DEVICE for job in workflow.dag.needrun_jobs()):
            check_device()


onsuccess:
    # Again where it is seen.
    say_what_is_left_out()


# Jobs here inherit the environment in any case; it is a cluster's that are handed these.
envvars:
    *(
        variable
        for variable in HANDED_ON
        if declarable(os.environ[variable])
    ),


wildcard_constraints:
    scale="demo|cpu|paper",
    dataset="digits|mnist|fashion_mnist|kmnist",
    figure="fig[1-7]|fig3_training|supplement",
    measurement="[A-Za-z][A-Za-z0-9_]*",
    run="[A-Za-z0-9_.-]+",
    block="[A-Za-z0-9_.-]+",
    collection="figures|redrawn",
    scored="claims|redrawn",
