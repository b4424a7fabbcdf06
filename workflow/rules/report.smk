# In:  the scorecard, and the provenance of the runs behind figures and scorecard.
# Out: pages of `snakemake --report`, results/<scale>/report/.


rule page_claims:
    """Write the scorecard as a page of the report."""
    input:
        scorecard="results/{scale}/claims/claims.csv",
        code=code("netdyn.pages"),
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
        "python -m netdyn page claims {input.scorecard} --output {output} 2>&1 | tee {log}"


rule page_runs:
    """Write when, where and by which code each run was trained, as a page of the report."""
    input:
        provenance=asked(lambda plan, w: plan.provenance_files()),
        code=code("netdyn.pages"),
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
        "python -m netdyn page runs {input.provenance} --output {output} 2>&1 | tee {log}"
