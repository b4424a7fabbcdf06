"""Fast training steps: optimizers, batches, blocks, CUDA graphs, rounding, unused inputs.

Input: a network of known layers, its data, and the precision of the products.
Output: steps with loss and gradients; equal settings on one machine give equal bits.
"""
