"""Rank probability distributions (RPD) and their gradients, by one sort of the local fields.

In come the local fields of a layer and the samples' classes.
Out go the density of every class's ranks and minus its least-squares slope.
"""
