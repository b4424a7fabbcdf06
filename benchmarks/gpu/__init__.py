"""Times of training and measuring on a GPU, by a model and measured: `python benchmarks/gpu.py`."""
