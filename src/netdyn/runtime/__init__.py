"""What a process uses of its machine: devices, threads, locks, clock, terminal, PyTorch.

Input: values of settings, such as a device or a seed.
Output: a device, products of matrices, generators of random numbers, a held lock.
"""
