"""What the paper claims, judged from tables: a module per section over a few shared kinds of test.

Each section's module has a function per claim, `c01(tables, row, mode)`, and the dict `CLAIMS`
that names them. They read tables only, and every threshold from the claim's row
(workflow/claims.yaml); `netdyn.claims.scorecard` calls them.
"""
