"""Quantities that the workflow measures: a module each, with `measure(subject, settings)`.

Input: a run's networks at chosen steps and its samples (for toy neurons, settings alone).
Output: a tidy table with named columns. The mathematics is in `netdyn.measures`.
"""
