"""Quantities that the workflow measures: a module each, named as the quantity is.

Each has `measure`, which reads a run (or, for toy neurons, only settings) and returns one tidy
table. They are found by name, so that a change of one makes no other out of date.
"""
