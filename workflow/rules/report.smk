# In:  the scorecard, and the provenance of the runs behind figures and scorecard.
# Out: pages of `snakemake --report`, results/<scale>/report/; all records of a scale in one file,
#      results/<scale>/provenance.json.


rule page_claims:
    """Write the scorecard as a page of the report."""
    input:
        scorecard="results/{scale}/claims/claims.csv",
        record=ancient("results/{scale}/claims/claims.csv.json"),
        code=code("netdyn.claims.pages"),
    output:
        report("results/{scale}/report/claims.html", category="Scorecard"),
    log:
        "results/{scale}/logs/page_claims.log",
    benchmark:
        "results/{scale}/benchmarks/page_claims.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "write {output}"
    shell:
        "python -P -m netdyn page claims {input.scorecard:q} --output {output:q} > {log:q} 2>&1"


rule page_runs:
    """Write when, where and by which code each run was trained, as a page of the report."""
    input:
        provenance=from_plan(lambda plan, w: plan.provenance_files()),
        code=code("netdyn.claims.pages"),
    output:
        report("results/{scale}/report/runs.html", category="Provenance"),
    log:
        "results/{scale}/logs/page_runs.log",
    benchmark:
        "results/{scale}/benchmarks/page_runs.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "write {output}"
    shell:
        "python -P -m netdyn page runs {input.provenance:q} --output {output:q} > {log:q} 2>&1"


rule index_provenance:
    """Put the records of all figures, tables, parts and runs into one file."""
    input:
        figures=from_plan(
            lambda plan, w: [
                f"{RESULTS}/{w.scale}/figures/{figure}.json"
                for figure in plan.figures()
            ]
        ),
        scorecard="results/{scale}/claims/claims.csv.json",
        tables=from_plan(
            lambda plan, w: [
                f"{path}.json" for path in plan.table_files(plan.tables())
            ]
        ),
        provenance=from_plan(lambda plan, w: plan.provenance_files()),
        code=code("netdyn.results.lineage"),
    output:
        "results/{scale}/provenance.json",
    log:
        "results/{scale}/logs/index_provenance.log",
    benchmark:
        "results/{scale}/benchmarks/index_provenance.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        results=lambda w: str(RESULTS),
    message:
        "write {output}"
    shell:
        "python -P -m netdyn index {wildcards.scale:q} --results {params.results:q} --output {output:q} > {log:q} 2>&1"
