"""Measurements of how neural networks learn: order-preserving and non-order-preserving modes.

Import the module you need (``from netdyn import rpd``); this file imports nothing, so that a
dry run of the workflow does not pay for PyTorch.
"""

__version__ = "0.1.0"
