"""Data sets: where they come from, how they lie on the disk, what is cut out of them.

In come IDX files, a download or scikit-learn's digits.
Out goes a prepared file of bytes, and images and classes as tensors.
"""
