"""Quantities that the workflow measures: a module each, found by the quantity's name.

In comes a run with its data (or, for toy neurons, settings alone).
Out comes from each module's `measure` one tidy table; a change of one leaves the others.
"""
