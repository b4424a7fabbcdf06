"""The plan of a scale: settings, their schema, and which files each result is made of.

Input: config.yaml, the scale and the command line's overrides. PyTorch is not imported.
Output: resolved settings; the inputs of every rule by its wildcards, so that
`snakemake results/cpu/figures/fig7.pdf` works at any scale; estimated sizes.
"""
