# The workflow, in the order of the data's way: prepare, train, measure, draw, compare.
#
#     snakemake figures                          figures at scale demo, no download
#     snakemake figures --config scale=cpu       figures from the real MNIST
#     snakemake results/cpu/figures/fig7.pdf     one figure, its scale named by its path
#     snakemake claims --config scale=cpu        the scorecard: which claims of the paper hold
#     snakemake explorer                         a page to scrub training time on
#     snakemake && snakemake --report report.html    figures, scorecard, then all of it in one file
#     snakemake redraw --config scale=cpu        figures and scorecard from the committed tables alone
#
# What is computed stands in src/netdyn, what it is computed with in config.yaml.

from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"


report: "workflow/report/workflow.rst"


# The first rule is what `snakemake` makes.
rule all:
    input:
        named(figure_files(SCALE, "figures")),
        f"results/{SCALE}/claims/claims.csv",
        f"results/{SCALE}/report/claims.html",
        f"results/{SCALE}/report/runs.html",
        f"results/{SCALE}/provenance.json",
        for_target(lambda plan: plan.files_needed(plan.tables())),


rule figures:
    input:
        named(figure_files(SCALE, "figures")),
        for_target(files_needed),


# Each figure of the scale by its bare name: snakemake fig7
for figure in plan(SCALE).figures():

    rule:
        name:
            figure
        input:
            named(figure_files(SCALE, "figures", figure)),
            for_target(files_needed, figure),


# A lost file of a run is made again alone: later files stay as they are.
rule runs:
    input:
        for_target(lambda plan: plan.run_files(plan.tables())),


rule tables:
    input:
        for_target(lambda plan: plan.files_needed(plan.tables())),


rule claims:
    input:
        f"results/{SCALE}/claims/claims.csv",
        for_target(lambda plan: plan.files_needed(plan.claim_tables())),


rule redraw:
    """Redraw the figures whose committed tables are complete; delete older files of the others."""
    input:
        for_target(redrawable),
        f"results/{SCALE}/redrawn/claims.csv",
    log:
        f"results/{SCALE}/logs/redraw.log",
    localrule: True
    params:
        stale=not_redrawable,
    message:
        "redrawn is what the committed tables suffice for (scale {SCALE})"
    shell:
        "rm -f {params.stale:q} > {log:q} 2>&1"


# A page to scrub training time on, from the tables of the runs whose gradients were measured over it.
rule explorer:
    input:
        f"results/{SCALE}/explorer.html",
        for_target(lambda plan: plan.files_needed(tables_explored(plan))),


# The claims under every reading, from the committed tables; `readings` makes what is missing.
rule multiverse:
    input:
        named(multiverse_files(SCALE, "redrawn")),


rule readings:
    input:
        named(multiverse_files(SCALE, "claims")),
        from_multiverse(lambda plan, w: plan.files_needed()),


rule keep_readings:
    input:
        from_multiverse(lambda plan, w: plan.kept_files()),


# Every finished part goes into the committed tables, whatever else is still missing:
#     snakemake keep --keep-going --config scale=cpu
rule keep:
    input:
        for_target(lambda plan: plan.kept_files(plan.tables())),


rule publish:
    input:
        [
            f"results/{SCALE}/published/{name}.json"
            for name in (*plan(SCALE).figures(), "claims")
        ],


include: "workflow/rules/data.smk"
include: "workflow/rules/shared_trainings.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/readings.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/targets.smk"
