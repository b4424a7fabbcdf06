# In:  the paper's claims with their thresholds, and tables: from results/<scale>/tables, or, redrawn,
#      those of results/<scale>/reference/tables that are there.
# Out: the scorecard: results/<scale>/claims/claims.csv and claims.md (redrawn/ for redraw).


rule score_claims:
    """Judge every claim of the paper."""
    input:
        settings=asked(lambda plan, w: plan.claims_settings()),
        claims=asked(lambda plan, w: str(plan.claims)),
        tables=asked(lambda plan, w: scored_tables(plan, w)),
        upstream=asked(lambda plan, w: upstreams(plan, w, plan.claim_tables())),
        code=code("netdyn.claims.scorecard"),
    output:
        csv="results/{scale}/{scored}/claims.csv",
        page="results/{scale}/{scored}/claims.md",
    log:
        "results/{scale}/logs/score_claims/{scored}.log",
    benchmark:
        "results/{scale}/benchmarks/score_claims/{scored}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        tables=table_folder,
    message:
        "judge the paper's claims (scale {wildcards.scale})"
    shell:
        "python -m netdyn score {input.settings} --claims {input.claims} "
        "--tables {params.tables} --output {output.csv} --page {output.page} 2>&1 | tee {log}"


rule publish_claims:
    """Copy the scorecard to the committed results."""
    input:
        settings=asked(lambda plan, w: plan.claims_settings()),
        files=[
            "results/{scale}/claims/claims.csv",
            "results/{scale}/claims/claims.md",
        ],
        tables=asked(lambda plan, w: plan.table_files(plan.claim_tables())),
        kept=asked(lambda plan, w: plan.kept_files(plan.claim_tables())),
        code=code("netdyn.publishing"),
    output:
        "results/{scale}/published/claims.json",
    log:
        "results/{scale}/logs/publish_claims.log",
    benchmark:
        "results/{scale}/benchmarks/publish_claims.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        reference="results/{scale}/reference",
        files=lambda w, input: [f"--file {path}" for path in input.files],
        tables=lambda w, input: [f"--table {path}" for path in input.tables],
    message:
        "publish the scorecard to {params.reference}"
    shell:
        "python -m netdyn publish claims {input.settings} {params.files} {params.tables} "
        "--reference {params.reference} --folder . --output {output} 2>&1 | tee {log}"
