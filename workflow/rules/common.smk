# The plan of a scale, and the environment that jobs run in.
#
# In:  the command line's configuration (config), which wins over the scale and over config.yaml.
# Out: plan(scale), figure_files(…), SCALE, RESULTS, and the input functions of the rules.

import atexit
import functools
import gc
import os
import re
import subprocess
import sys
from pathlib import Path

from netdyn.runtime.clocks import date_back
from netdyn.errors import NetdynError
from netdyn.plan import written
from netdyn.plan.explored import explored_tables
from netdyn.plan.multiverse import MultiversePlan
from netdyn.plan.readings import declared_readings, plan_of, scale_of
from netdyn.plan.shell_words import declarable, first_in_path, repeated
from netdyn.runtime.visible_gpus import a_gpu_is_visible

# A DAG of thousands of jobs is millions of objects, none of them garbage. Scanning them for garbage
# would take a sixth of a dry run, and as much again when Snakemake ends.
gc.set_threshold(1_000_000)
atexit.register(gc.freeze)

# Jobs call the Python that runs Snakemake, also where its environment is not activated. A prefix
# takes the place of Snakemake's own, which is what makes a failure on the left of a pipe count.
shell.prefix(f"set -euo pipefail; {first_in_path(Path(sys.executable).parent)}; ")


# This workflow's folder, and where its results are: both differ from Snakemake's where the workflow
# is a part of another one, which may put a prefix before all paths.
FOLDER = Path(workflow.current_basedir).parents[1]
RESULTS = Path(workflow.modifier.path_modifier.replace_prefix("results/"))


def named(paths):
    """Return paths, alone or in lists and mappings, as rules name them: without the prefix.

    Snakemake puts the prefix before what rules name. What they name by a function comes from the
    plan, which knows files by their places.
    """
    if isinstance(paths, dict):
        return {key: named(path) for key, path in paths.items()}
    if not isinstance(paths, str):
        return [named(path) for path in paths]
    if RESULTS == Path("results") or hasattr(paths, "flags"):
        return paths  # a path with flags was named before it got them
    path = Path(paths)
    if path.is_relative_to(RESULTS):
        return str("results" / path.relative_to(RESULTS))
    return os.path.abspath(path)


def code(module):
    """Return the file that stands for the code of a module, as rules name it."""
    return named(written.code(module, RESULTS))


def new_plan(scale):
    return plan_of(FOLDER, config, scale, results=RESULTS)


@functools.cache
def plan(scale):
    """Return the plan of a scale or reading; a mistake in its settings ends in one line."""
    try:
        return new_plan(scale)
    except NetdynError as error:
        raise SystemExit(f"error: {error}") from None


def from_plan(method):
    """Return an input function that calls `method` with the plan of the wildcards' scale."""

    def inputs(wildcards):
        try:
            return named(method(plan(wildcards.scale), wildcards))
        except NetdynError as error:
            raise SystemExit(f"error: {error}") from None

    return inputs


def for_target(method, *arguments):
    """Return an input function of a target rule that calls `method` with the plan of `SCALE`.

    The files of all targets are many thousands: a function lists only those of the requested one.
    """

    def inputs(wildcards):
        try:
            return named(method(plan(SCALE), *arguments))
        except NetdynError as error:
            raise SystemExit(f"error: {error}") from None

    return inputs


def plan_or_none(scale):
    """Return the plan of another scale, or None where the overrides do not fit it."""
    try:
        return new_plan(scale)
    except NetdynError:
        return None


@functools.cache
def multiverse(scale):
    """Return the plan of a scale's claims under every reading."""
    try:
        return MultiversePlan(plan(scale))
    except NetdynError as error:
        raise SystemExit(f"error: {error}") from None


def from_multiverse(method):
    """Return an input function that calls `method` with the multiverse of the wildcards' scale."""

    def inputs(wildcards):
        try:
            scale = wildcards.get("scale", SCALE)
            return named(method(multiverse(scale), wildcards))
        except NetdynError as error:
            raise SystemExit(f"error: {error}") from None

    return inputs


def figure_files(scale, collection, *figures):
    return [
        f"{RESULTS}/{scale}/{collection}/{figure}.{ending}"
        for figure in figures or plan(scale).figures()
        for ending in ("pdf", "png", "json")
    ]


def multiverse_files(scale, judged):
    names = ("readings.csv", "readings.md", "multiverse.pdf", "multiverse.png")
    return [f"{RESULTS}/{scale}/{judged}/{name}" for name in names]


def files_needed(plan, *figures):
    """Return the tables of figures, with their parts and runs.

    Targets name these files because Snakemake does not remake a missing intermediate file while
    an older table or figure made from it exists: that one would pass for current.
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
    "noise_returns": "Supplement",
    "supplement": "Supplement",
}


def section(wildcards):
    """Return the section of the paper that a figure belongs to."""
    return SECTIONS[wildcards.figure]


def is_redrawn(wildcards):
    """Return whether a figure or the scorecard is drawn from committed tables."""
    return "redrawn" in (wildcards.get("collection"), wildcards.get("scored"))


def table_folder(wildcards):
    """Return the folder of the tables that a figure or the scorecard is made from."""
    folder = "reference/tables" if is_redrawn(wildcards) else "tables"
    return f"{RESULTS}/{wildcards.scale}/{folder}"


def upstreams(plan, wildcards, tables):
    """Return the files of settings and code that these tables depend on; none where redrawn."""
    return [] if is_redrawn(wildcards) else plan.upstreams(tables)


def records(tables):
    """Return the records by which a job checks the tables that it reads.

    They are ancient: a record holds times, so only the table itself makes a job run again. The
    records of committed tables are no rule's output.
    """
    measured = [path for path in tables if "/reference/" not in path]
    return [
        ancient(
            named(
                str(Path(path).with_name("manifest.json"))
                if Path(path).name == "history.csv"
                else f"{path}.json"
            )
        )
        for path in measured
    ]


# Figures that cannot be redrawn, with the tables they lack; filled in when redraw is the target.
INCOMPLETE = {}


def redrawable(plan):
    """Return the files of the figures whose tables are complete; warn about the others."""
    INCOMPLETE.update(plan.incomplete())
    warn_incomplete()
    return [
        path
        for figure in plan.figures()
        if figure not in INCOMPLETE
        for path in figure_files(plan.scale, "redrawn", figure)
    ]


def not_redrawable(wildcards):
    """Return the files of the figures whose committed tables are incomplete."""
    return [
        path
        for figure in plan(SCALE).figures()
        if figure in INCOMPLETE
        for path in figure_files(SCALE, "redrawn", figure)
    ]


def warn_incomplete():
    """Name the figures that are left out, with the tables that they lack."""
    if INCOMPLETE:
        print(
            "warning: left out, for tables that are not committed, or not of all runs:",
            *(f"  {name}: {', '.join(tables)}" for name, tables in INCOMPLETE.items()),
            "restore these tables from the repository, or make them: "
            f"snakemake keep --config scale={SCALE} reuse=True",
            sep="\n",
            file=sys.stderr,
        )


def scored_tables(plan, wildcards):
    """Return the tables of the scorecard; where redrawn, only those that are committed."""
    present = plan.committed() if is_redrawn(wildcards) else plan.claim_tables()
    tables = [table for table in plan.claim_tables() if table in present]
    return [f"{table_folder(wildcards)}/{table}.csv" for table in tables]


def check_device():
    """End with one line where this machine lacks the requested device."""
    command = [sys.executable, "-P", "-m", "netdyn", "device"]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
        raise SystemExit(1)


SCALE = config.get("scale") or plan("demo").config["scale"]

# A target's path may name any scale or reading: the settings of each that is named are written
# beside those of SCALE, where jobs on a cluster read them.
NAMED = set(
    re.findall(
        rf"{RESULTS}/((?:demo|cpu|paper)(?:/readings/\w+)?)/", " ".join(sys.argv)
    )
)
if {"readings", "keep_readings"} & set(sys.argv):
    NAMED.update(scale_of(SCALE, name) for name in declared_readings(plan(SCALE)))
for scale in [SCALE, *sorted(NAMED - {SCALE})] if workflow.is_main_process else ():
    scale_plan = plan(scale) if scale == SCALE else plan_or_none(scale)
    try:
        if scale_plan:
            scale_plan.write_settings()
    except NetdynError as error:
        if scale == SCALE:
            raise SystemExit(f"error: {error}") from None
    except OSError as error:
        raise SystemExit(
            f"error: {error.filename or RESULTS}: {error.strerror}: "
            f"{RESULTS}/ must be a folder that can be written to, with space left"
        ) from None

# A wrong clock may have left dates in the future, with which every job would fail.
try:
    date_back([*RESULTS.rglob("*"), plan(SCALE).claims])
except OSError as error:
    raise SystemExit(
        f"error: {error.filename}: {error.strerror}: it is dated in the future, touch it"
    ) from None

# These settings say how jobs run, not what they compute. Jobs get them from the environment, so
# that moving the data or changing the device or the engine puts nothing out of date. The command
# line wins over the environment.
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


def tell_loggers(**what):
    """Tell the logger `netdyn`, if it is in use, what is known before jobs run."""
    for handler in workflow.logger_manager.get_log_handlers():
        if hasattr(handler, "expect"):
            handler.expect(**what)


def expected(jobs):
    """Return what the logger has to know of jobs, to say how long they take."""
    return [
        {
            "number": job.jobid,
            "rule": job.rule.name,
            "wildcards": dict(job.wildcards_dict),
            "benchmark": str(job.benchmark) if job.benchmark else None,
            "threads": job.threads,
            "output": next(map(str, job.output), ""),
        }
        for job in jobs
    ]


if workflow.is_main_process:
    tell_loggers(cores=workflow.resource_settings.cores, scale=SCALE)


onstart:
    jobs = list(workflow.dag.needrun_jobs())
    tell_loggers(jobs=expected(jobs))
    if workflow.local_exec:
        # Snakemake starts at most 100 jobs a second, which matters on a cluster. To keep to that, it
        # looks through all open jobs once a second for each that it has started: soon a core's time.
        workflow.scheduler.job_rate_limiter = None
        # On a cluster only the jobs of a group share a machine (see shared_trainings.smk).
        share_trainings(
            (job.wildcards.scale, job.wildcards.run)
            for job in jobs
            if job.rule.name == "train_run"
        )
    else:
        check_cluster(jobs)
    # One error before anything runs, instead of one from each job. On a cluster this machine may
    # lack the GPU that the jobs will have, so there each job checks for itself.
    if workflow.local_exec and DEVICE not in ("auto", "cpu"):
        if any(job.rule.name in ON_DEVICE for job in jobs):
            check_device()


onsuccess:
    # Repeated at the end, where it is read.
    warn_incomplete()


# Local jobs inherit the environment in any case; jobs of a cluster get these variables.
envvars:
    *(variable for variable in HANDED_ON if declarable(os.environ[variable])),


wildcard_constraints:
    scale="(demo|cpu|paper)(/readings/[A-Za-z][A-Za-z0-9_]*)?",
    dataset="digits|mnist|fashion_mnist|kmnist",
    figure="fig[1-7]|fig3_training|noise_returns|supplement",
    measurement="[A-Za-z][A-Za-z0-9_]*",
    run="[A-Za-z0-9_.-]+",
    block="[A-Za-z0-9_.-]+",
    collection="figures|redrawn",
    scored="claims|redrawn",
    judged="claims|redrawn",


def tables_explored(plan):
    """Return the names of the tables of a scale's explorer."""
    return explored_tables(plan)


def verdicts_explored(wildcards):
    """Return the committed scorecard and verdicts under every reading that are there."""
    files = [
        f"{RESULTS}/{wildcards.scale}/reference/{name}.csv"
        for name in ("claims", "readings")
    ]
    return [named(file) for file in files if Path(file).is_file()]
