# In:  a run's resolved settings and the prepared data set it names.
# Out: results/<scale>/runs/<name>-<hash>/: weights at the kept steps, history, manifest.
#
# An unfinished run lies in results/<scale>/checkpoints/<name>-<hash>/, which is no rule's output:
# Snakemake deletes outputs when a job fails, and a killed training is to go on where it was.
#
# A job goes on with other runs of its block (runs_per_job) that the same Snakemake wants on the same
# machine; their own jobs then find them trained, and end at once.


rule train_run:
    """Train one run to its last step, or go on from its checkpoint."""
    input:
        settings=from_plan(lambda plan, w: plan.run_settings_file(w.run)),
        data=from_plan(lambda plan, w: plan.data_file(w.run)),
        code=code("netdyn.training.train"),
        upstream=from_plan(lambda plan, w: plan.data_code(w.run)),
    output:
        snapshots="results/{scale}/runs/{run}/snapshots.safetensors",
        history="results/{scale}/runs/{run}/history.csv",
        provenance="results/{scale}/runs/{run}/provenance.json",
        manifest="results/{scale}/runs/{run}/manifest.json",
    log:
        "results/{scale}/logs/train_run/{run}.log",
    benchmark:
        "results/{scale}/benchmarks/train_run/{run}.tsv"
    threads: lambda w: plan(w.scale).run(w.run).settings["threads"]
    resources:
        mem_mb=6000,
        runtime=240,
        gpu=GPUS,
    params:
        folder=f"{RESULTS}/{{scale}}/runs/{{run}}",
        checkpoints=f"{RESULTS}/{{scale}}/checkpoints/{{run}}",
    message:
        "train {wildcards.run} (scale {wildcards.scale})"
    shell:
        "python -P -m netdyn train {input.settings:q} --data {input.data:q} --output {params.folder:q} "
        "--checkpoints {params.checkpoints:q} --log {log:q} > {log:q} 2>&1"
