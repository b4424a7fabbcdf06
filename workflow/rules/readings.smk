# In:  the tables that each reading's claims are judged from (workflow/readings.yaml): the scale's own
#      and those under results/<scale>/readings/<name>/, or, redrawn, the committed ones of both.
# Out: results/<scale>/claims/readings.csv, a row per claim, reading and criterion, its page
#      readings.md, and the multiverse, one figure of them all (redrawn/ for the committed tables).


rule judge_readings:
    """Judge every claim of the paper under every reading."""
    input:
        settings=from_multiverse(lambda plan, w: plan.settings_file(w.judged)),
        claims=from_plan(lambda plan, w: str(plan.claims)),
        tables=from_multiverse(lambda plan, w: plan.table_files(w.judged == "redrawn")),
        code=code("netdyn.claims.readings"),
    output:
        csv="results/{scale}/{judged}/readings.csv",
        record="results/{scale}/{judged}/readings.csv.json",
        page="results/{scale}/{judged}/readings.md",
    log:
        "results/{scale}/logs/judge_readings/{judged}.log",
    benchmark:
        "results/{scale}/benchmarks/judge_readings/{judged}.tsv"
    wildcard_constraints:
        scale="demo|cpu|paper",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    message:
        "judge the paper's claims under every reading (scale {wildcards.scale})"
    shell:
        "python -P -m netdyn judge {input.settings:q} --claims {input.claims:q} "
        "--output {output.csv:q} --page {output.page:q} > {log:q} 2>&1"


rule draw_multiverse:
    """Draw the verdict on every claim under every reading."""
    input:
        settings=from_multiverse(lambda plan, w: plan.figure_settings_file()),
        table="results/{scale}/{judged}/readings.csv",
        record=ancient("results/{scale}/{judged}/readings.csv.json"),
        code=code("netdyn.figures.multiverse"),
        drawing=code("netdyn.figures.drawing"),
    output:
        pdf="results/{scale}/{judged}/multiverse.pdf",
        png=report(
            "results/{scale}/{judged}/multiverse.png",
            caption="../report/multiverse.rst",
            category="Multiverse",
            labels={"figure": "multiverse", "scale": "{scale}"},
        ),
        record="results/{scale}/{judged}/multiverse.json",
    log:
        "results/{scale}/logs/draw_multiverse/{judged}.log",
    benchmark:
        "results/{scale}/benchmarks/draw_multiverse/{judged}.tsv"
    wildcard_constraints:
        scale="demo|cpu|paper",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        tables=lambda w: f"{RESULTS}/{w.scale}/{w.judged}",
        stem=f"{RESULTS}/{{scale}}/{{judged}}/multiverse",
    message:
        "draw the multiverse (scale {wildcards.scale})"
    shell:
        "python -P -m netdyn draw multiverse {input.settings:q} --tables {params.tables:q} "
        "--output {params.stem:q} > {log:q} 2>&1"


rule publish_multiverse:
    """Copy the verdicts under every reading, their page and the multiverse to the committed results.

    They are those that were judged from committed tables, so no table is kept with them.
    """
    input:
        settings=from_multiverse(lambda plan, w: plan.figure_settings_file()),
        verdicts=[
            "results/{scale}/redrawn/readings.csv",
            "results/{scale}/redrawn/readings.md",
        ],
        pictures=[
            "results/{scale}/redrawn/multiverse.pdf",
            "results/{scale}/redrawn/multiverse.png",
        ],
        code=code("netdyn.results.publishing"),
    output:
        readings="results/{scale}/published/readings.json",
        multiverse="results/{scale}/published/multiverse.json",
    log:
        "results/{scale}/logs/publish_multiverse.log",
    benchmark:
        "results/{scale}/benchmarks/publish_multiverse.tsv"
    wildcard_constraints:
        scale="demo|cpu|paper",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        reference=f"{RESULTS}/{{scale}}/reference",
        verdicts=lambda w, input: repeated("--file", input.verdicts),
        pictures=lambda w, input: repeated("--file", input.pictures),
    message:
        "publish the multiverse to {params.reference}"
    shell:
        "(python -P -m netdyn publish readings {input.settings:q} {params.verdicts:q} "
        "--reference {params.reference:q} --folder . --output {output.readings:q} && "
        "python -P -m netdyn publish multiverse {input.settings:q} {params.pictures:q} "
        "--reference {params.reference:q} --output {output.multiverse:q}) > {log:q} 2>&1"
