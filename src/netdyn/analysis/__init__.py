"""Anybody's network to tables: what `netdyn.read` returns, and its measures.

Input: a network that a reader has read, samples and labels as tensors or a DataLoader.
Output: pandas tables with one row a site and class, modules pruned by L-maps, and the course of a
training that a monitor measures.
"""
