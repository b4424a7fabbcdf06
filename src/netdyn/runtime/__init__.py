"""What a process has of its machine: devices, threads, locks, clock, terminal.

In come a setting's words, such as a device or a seed.
Out go a device, products of matrices, generators of random numbers, a lock that is held.
"""
