"""Rank probability distributions (RPD) and their gradients, by one sort of the local fields.

Input: the local fields of a layer and the samples' classes.
Output: the density of every class's ranks, and minus its least-squares slope.
"""
