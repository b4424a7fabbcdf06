# The workflow, in the order of the data's way: prepare, train, measure, draw.
#
#     snakemake figures                          figures at scale demo, no download
#     snakemake figures --config scale=cpu       figures from the real MNIST
#     snakemake results/cpu/figures/fig7.pdf     one figure, its scale named by its path
#     snakemake redraw --config scale=cpu        figures from the committed tables alone
#
# What is computed stands in src/netdyn, what it is computed with in config.yaml.

from snakemake.utils import min_version

min_version("9.27")


include: "workflow/rules/common.smk"


rule all:
    default_target: True
    input:
        figure_files(SCALE, "figures"),
        files_behind(SCALE),


rule figures:
    input:
        figure_files(SCALE, "figures"),
        files_behind(SCALE),


# Each figure of the scale by its bare name: snakemake fig7
for figure in plan(SCALE).figures():

    rule:
        name:
            figure
        input:
            figure_files(SCALE, "figures", figure),
            files_behind(SCALE, figure),


rule redraw:
    input:
        figure_files(SCALE, "redrawn"),


rule publish:
    input:
        [f"results/{SCALE}/published/{figure}.json" for figure in plan(SCALE).figures()],


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/figures.smk"
