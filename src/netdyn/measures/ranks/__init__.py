"""Rank probability distributions (RPD) and their gradients, by one sort of the local fields.

Input: the local fields of a layer and the classes of the samples.
Output: the density of the ranks of every class, and minus its least-squares slope.
"""
