"""The paper's measures on a network and its samples.

Input: networks and samples as tensors; no files are read.
Output: ranks and their gradients, basins, cones, projections, distances, as tensors.
"""
