# In:  whole runs, the data they were trained on, and a measurement's resolved settings.
# Out: results/<scale>/tables/<measurement>.csv, tidy, one row per number; its parts, one per block
#      of runs (runs_per_job), lie in tables/parts/<measurement>/. Beside each lies its record, the
#      same name and .json: checksum and provenance. Kept, parts go into the committed tables,
#      results/<scale>/reference/tables.


rule measure_run:
    """Measure one quantity on one run, or on a block of runs."""
    input:
        unpack(from_plan(lambda plan, w: plan.measure_inputs(w.measurement, w.block))),
    output:
        table="results/{scale}/tables/parts/{measurement}/{block}.csv",
        record="results/{scale}/tables/parts/{measurement}/{block}.csv.json",
    log:
        "results/{scale}/logs/measure_run/{measurement}/{block}.log",
    benchmark:
        "results/{scale}/benchmarks/measure_run/{measurement}/{block}.tsv"
    threads: lambda w: plan(w.scale).measurement(w.measurement).settings["threads"]
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=GPUS,
    params:
        quantity=lambda w: plan(w.scale).measurement(w.measurement).quantity,
    message:
        "measure {wildcards.measurement} on {wildcards.block} (scale {wildcards.scale})"
    shell:
        "python -P -m netdyn measure {params.quantity:q} {input.settings:q} "
        "--output {output.table:q} --log {log:q} > {log:q} 2>&1"


rule tabulate:
    """Put a measurement's parts together, each row told by run, swept settings and seed."""
    input:
        settings=from_plan(lambda plan, w: plan.table_settings_file(w.measurement)),
        parts=from_plan(lambda plan, w: plan.table_inputs(w.measurement)),
        upstream=from_plan(lambda plan, w: plan.upstream(w.measurement)),
        records=from_plan(lambda plan, w: records(plan.table_inputs(w.measurement))),
        code=code("netdyn.results.tables"),
    output:
        table="results/{scale}/tables/{measurement}.csv",
        record="results/{scale}/tables/{measurement}.csv.json",
    log:
        "results/{scale}/logs/tabulate/{measurement}.log",
    benchmark:
        "results/{scale}/benchmarks/tabulate/{measurement}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "put together table {wildcards.measurement} (scale {wildcards.scale})"
    shell:
        "python -P -m netdyn tabulate {input.settings:q} --output {output.table:q} > {log:q} 2>&1"


rule keep_part:
    """Put a finished part into the committed table at once, with the provenance of its runs."""
    input:
        unpack(from_plan(lambda plan, w: plan.keep_inputs(w.measurement, w.block))),
        record=from_plan(
            lambda plan, w: records([plan.keepable(w.measurement)[w.block][0]])
        ),
    output:
        "results/{scale}/kept/{measurement}/{block}.json",
    log:
        "results/{scale}/logs/keep_part/{measurement}/{block}.log",
    benchmark:
        "results/{scale}/benchmarks/keep_part/{measurement}/{block}.tsv"
    priority: 1
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        reference=f"{RESULTS}/{{scale}}/reference",
        runs=lambda w: repeated(
            "--run", plan(w.scale).keepable(w.measurement)[w.block][1]
        ),
    message:
        "keep {wildcards.measurement} of {wildcards.block} in {params.reference}"
    shell:
        "python -P -m netdyn keep {input.part:q} {input.settings:q} {params.runs:q} "
        "--reference {params.reference:q} --output {output:q} > {log:q} 2>&1"
