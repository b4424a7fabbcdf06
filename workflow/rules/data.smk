# In:  IDX files in data_root, a download, or scikit-learn's embedded digits.
# Out: results/data/<dataset>.safetensors, bytes, the same for every scale.


rule prepare_data:
    """Read or download a data set, check its content, and write the prepared file."""
    input:
        code=code("netdyn.data.datasets"),
    output:
        "results/data/{dataset}.safetensors",
    log:
        "results/logs/prepare_data/{dataset}.log",
    benchmark:
        "results/benchmarks/prepare_data/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    message:
        "prepare data set {wildcards.dataset}"
    shell:
        "python -P -m netdyn prepare {wildcards.dataset:q} --output {output:q} > {log:q} 2>&1"


rule translate_data:
    """Shift every training image by one and two pixels in eight directions: 17 times the set."""
    input:
        data="results/data/{dataset}.safetensors",
        code=code("netdyn.data.translation"),
    output:
        "results/data/{dataset}_translated.safetensors",
    log:
        "results/logs/translate_data/{dataset}.log",
    benchmark:
        "results/benchmarks/translate_data/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "translate the training images of {wildcards.dataset}"
    shell:
        "python -P -m netdyn translate {input.data:q} --output {output:q} > {log:q} 2>&1"
