# In:  the tables that each reading's claims are judged from (workflow/readings.yaml): the scale's own
#      and those under results/<scale>/readings/<name>/, or, redrawn, the committed ones of both.
# Out: results/<scale>/claims/readings.csv, a row per claim, reading and criterion, its page
#      readings.md, and the multiverse, one figure of them all (redrawn/ for the committed tables).


rule judge_readings:
    """Judge every claim of the paper under every reading."""
    input:
        settings=lambda w: multiverse(w.scale).settings_file(w.judged),
        claims=from_plan(lambda plan, w: str(plan.claims)),
        tables=lambda w: multiverse(w.scale).table_files(w.judged == "redrawn"),
        code=code("netdyn.claims.readings"),
    output:
        csv="results/{scale}/{judged}/readings.csv",
        record="results/{scale}/{judged}/readings.csv.json",
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
        "python -m netdyn judge {input.settings:q} --claims {input.claims:q} "
        "--output {output.csv:q} 2>&1 | tee {log:q}"
