"""A run of the workflow as it is watched: its jobs, how long they take, how far they are.

Input: what Snakemake logs, benchmark files, and the progress files that jobs write.
Output: lines on a terminal or in a log, a summary of a dry run, the answer of `netdyn status`.
PyTorch is not imported.
"""
