"""Data sets: their sources, their files on disk, and subsets of them.

Input: IDX files, a download or scikit-learn's digits.
Output: a prepared file of bytes, and images and classes as tensors.
"""
