"""The contents of results/: runs, tables, committed results, and their lineage.

Input: folders of runs and files of tables, complete or damaged.
Output: checked contents, or one error that names the remedy; printed chains of provenance.
"""
