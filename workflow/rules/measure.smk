# In:  whole runs, the data they were trained on, and a measurement's resolved settings.
# Out: results/<scale>/tables/<measurement>.csv, tidy, one row per number; its parts, one per run,
#      lie in tables/parts/<measurement>/.


rule measure_run:
    """Measure one quantity on one run."""
    input:
        unpack(asked(lambda plan, w: plan.measured(w.measurement, w.run))),
    output:
        "results/{scale}/tables/parts/{measurement}/{run}.csv",
    log:
        "results/{scale}/logs/measure_run/{measurement}/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/measure_run/{measurement}/{run}.tsv"
    threads: lambda w: plan(w.scale).measurement(w.measurement).settings["threads"]
    resources:
        mem_mb=6000,
        runtime=120,
        gpu=GPUS,
    params:
        quantity=lambda w: plan(w.scale).measurement(w.measurement).quantity,
        options=measure_options,
    message:
        "measure {wildcards.measurement} on {wildcards.run} (scale {wildcards.scale})"
    shell:
        "python -m netdyn measure {params.quantity} {input.settings} {params.options} "
        "--output {output} 2>&1 | tee {log}"


rule tabulate:
    """Put a measurement's parts together, each row told by run, swept settings and seed."""
    input:
        settings=asked(lambda plan, w: plan.table_settings(w.measurement)),
        parts=asked(lambda plan, w: plan.parts(w.measurement)),
        code=code("netdyn.tables"),
    output:
        "results/{scale}/tables/{measurement}.csv",
    log:
        "results/{scale}/logs/tabulate/{measurement}.log",
    benchmark:
        "results/{scale}/benchmarks/tabulate/{measurement}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    message:
        "put together {output}"
    shell:
        "python -m netdyn tabulate {input.settings} --output {output} 2>&1 | tee {log}"
