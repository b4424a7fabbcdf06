# In:  the tables of the runs whose gradients were measured over training, and the committed verdicts
#      on the paper's claims, where there are any; never a run.
# Out: results/<scale>/explorer.html, one page on which training time is scrubbed.


rule write_explorer:
    """Write the page on which training time is scrubbed."""
    input:
        tables=from_plan(lambda plan, w: plan.table_files(tables_explored(plan))),
        verdicts=verdicts_explored,
        upstream=from_plan(lambda plan, w: plan.upstreams(tables_explored(plan))),
        records=from_plan(
            lambda plan, w: records(plan.table_files(tables_explored(plan)))
        ),
        code=code("netdyn.explorer.explorer"),
        scripts=sorted(
            str(path) for path in (FOLDER / "src/netdyn/explorer").glob("*.[cj]s*")
        ),
    output:
        "results/{scale}/explorer.html",
    log:
        "results/{scale}/logs/write_explorer.log",
    benchmark:
        "results/{scale}/benchmarks/write_explorer.tsv"
    wildcard_constraints:
        scale="demo|cpu|paper",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "write {output}"
    shell:
        "python -P -m netdyn explore {input.tables:q} {input.verdicts:q} --overwrite "
        "--output {output:q} > {log:q} 2>&1"
