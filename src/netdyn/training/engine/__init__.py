"""How training steps are made fast (docs/engine.md); `steps` is all that a trainer needs of it.

Input: a network, samples and settings.
Output: the same numbers, within rounding, as PyTorch's automatic differentiation and optimizers.
"""
