# In:  tables, never a run: from results/<scale>/tables, or, to redraw, the committed ones of
#      results/<scale>/reference/tables, which have no rule upstream.
# Out: results/<scale>/figures/<figure>.pdf and .png, and their record .json (redrawn/ for redraw);
#      the committed results.


rule draw_figure:
    """Draw one figure from its tables."""
    input:
        settings=from_plan(
            lambda plan, w: plan.figure_settings_file(w.figure, is_redrawn(w))
        ),
        tables=from_plan(
            lambda plan, w: [
                f"{table_folder(w)}/{table}.csv"
                for table in plan.figure_tables(w.figure)
            ]
        ),
        upstream=from_plan(
            lambda plan, w: upstreams(plan, w, plan.figure_tables(w.figure))
        ),
        records=from_plan(
            lambda plan, w: records(
                f"{table_folder(w)}/{table}.csv"
                for table in plan.figure_tables(w.figure)
            )
        ),
        code=lambda w: code(f"netdyn.figures.{w.figure}"),
        drawing=code("netdyn.figures.drawing"),
    output:
        pdf="results/{scale}/{collection}/{figure}.pdf",
        png=report(
            "results/{scale}/{collection}/{figure}.png",
            caption="../report/captions.rst",
            category=section,
            labels={"figure": "{figure}", "scale": "{scale}"},
        ),
        record="results/{scale}/{collection}/{figure}.json",
    log:
        "results/{scale}/logs/draw_figure/{collection}/{figure}.log",
    benchmark:
        "results/{scale}/benchmarks/draw_figure/{collection}/{figure}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        tables=table_folder,
        stem=f"{RESULTS}/{{scale}}/{{collection}}/{{figure}}",
    message:
        "draw {wildcards.figure} (scale {wildcards.scale})"
    shell:
        "python -P -m netdyn draw {wildcards.figure:q} {input.settings:q} --tables {params.tables:q} "
        "--output {params.stem:q} > {log:q} 2>&1"


rule publish_figure:
    """Copy a finished figure and its record to the committed results, beside its kept tables.

    Its declared output is a record beside them: were the committed files outputs of a rule, to
    redraw them in a fresh clone would train every run again.
    """
    input:
        settings=from_plan(lambda plan, w: plan.figure_settings_file(w.figure)),
        files=[
            "results/{scale}/figures/{figure}.pdf",
            "results/{scale}/figures/{figure}.png",
        ],
        tables=from_plan(lambda plan, w: plan.table_files(plan.figure_tables(w.figure))),
        kept=from_plan(lambda plan, w: plan.kept_files(plan.figure_tables(w.figure))),
        code=code("netdyn.results.publishing"),
    output:
        "results/{scale}/published/{figure}.json",
    log:
        "results/{scale}/logs/publish_figure/{figure}.log",
    benchmark:
        "results/{scale}/benchmarks/publish_figure/{figure}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        reference=f"{RESULTS}/{{scale}}/reference",
        files=lambda w, input: repeated("--file", input.files),
        tables=lambda w, input: repeated("--table", input.tables),
    message:
        "publish {wildcards.figure} to {params.reference}"
    shell:
        "python -P -m netdyn publish {wildcards.figure:q} {input.settings:q} {params.files:q} "
        "{params.tables:q} --reference {params.reference:q} --output {output:q} > {log:q} 2>&1"
