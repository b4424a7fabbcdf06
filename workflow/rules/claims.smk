# In:  the paper's claims with their thresholds, and tables: from results/<scale>/tables, or, redrawn,
#      those of results/<scale>/reference/tables that are there.
# Out: the scorecard: results/<scale>/claims/claims.csv and claims.md (redrawn/ for redraw).


rule score_claims:
    """Judge every claim of the paper."""
    input:
        settings=from_plan(lambda plan, w: plan.claims_settings_file()),
        claims=from_plan(lambda plan, w: str(plan.claims)),
        tables=from_plan(lambda plan, w: scored_tables(plan, w)),
        upstream=from_plan(lambda plan, w: upstreams(plan, w, plan.claim_tables())),
        records=from_plan(lambda plan, w: records(scored_tables(plan, w))),
        code=code("netdyn.claims.scorecard"),
    output:
        csv="results/{scale}/{scored}/claims.csv",
        record="results/{scale}/{scored}/claims.csv.json",
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
        "python -P -m netdyn score {input.settings:q} --claims {input.claims:q} "
        "--tables {params.tables:q} --output {output.csv:q} --page {output.page:q} > {log:q} 2>&1"


rule publish_claims:
    """Copy the scorecard to the committed results."""
    input:
        settings=from_plan(lambda plan, w: plan.claims_settings_file()),
        files=[
            "results/{scale}/claims/claims.csv",
            "results/{scale}/claims/claims.md",
        ],
        tables=from_plan(lambda plan, w: plan.table_files(plan.claim_tables())),
        kept=from_plan(lambda plan, w: plan.kept_files(plan.claim_tables())),
        code=code("netdyn.results.publishing"),
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
        reference=f"{RESULTS}/{{scale}}/reference",
        files=lambda w, input: repeated("--file", input.files),
        tables=lambda w, input: repeated("--table", input.tables),
    message:
        "publish the scorecard to {params.reference}"
    shell:
        "python -P -m netdyn publish claims {input.settings:q} {params.files:q} {params.tables:q} "
        "--reference {params.reference:q} --folder . --output {output:q} > {log:q} 2>&1"
