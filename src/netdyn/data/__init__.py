"""Data sets: download, IDX files and digits, the prepared safetensors file, balanced subsets.

Input: IDX files, a download, or scikit-learn's digits.
Output: a prepared file of bytes, and images and classes as tensors.
"""
