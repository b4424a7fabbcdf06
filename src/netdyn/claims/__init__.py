"""What the paper claims, judged from tables: a module per section, a function per claim.

In come tables, and every threshold from the claim's row in workflow/claims.yaml.
Out go verdicts, which `netdyn.claims.scorecard` puts together, and pages of them.
"""
