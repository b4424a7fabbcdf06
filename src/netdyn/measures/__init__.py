"""The paper's measures on a network and its samples.

In come networks and samples as tensors, nothing that lies on a disk.
Out go ranks and their gradients, basins, cones, projections, distances: tensors again.
"""
