"""What lies on the disk below results/: runs, tables, committed results and where they came from.

In come folders of runs and files of tables, whole or damaged.
Out go what they hold, if their records agree, or one error that says how to mend them.
"""
