"""Which files a result is made of, at every scale: what the workflow's rules ask.

In come config.yaml, the scale and the command line's overrides; no PyTorch is imported.
Out go resolved settings, and from a rule's wildcards its inputs, so that
`snakemake results/cpu/figures/fig7.pdf` works whatever scale the configuration names.
"""
