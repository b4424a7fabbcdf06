"""Quantities that the workflow measures: one module each, named by the quantity.

Input: a run with its data (or, for toy neurons, settings alone).
Output: one tidy table, by the `measure` of the module; changing one affects no other table.
"""
