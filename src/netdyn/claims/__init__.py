"""Verdicts on the paper's claims C01 to C54: a function per claim, a module per section.

Input: tables of all runs and seeds, and the thresholds of workflow/claims.yaml. Nothing is drawn.
Output: a verdict and a sentence with numbers per claim, the scorecard, and its report pages.
"""
