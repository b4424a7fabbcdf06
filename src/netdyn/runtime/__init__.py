"""The machine of a process: devices and drivers, threads, arithmetic flags, locks, terminal.

Input: a setting such as a device or a seed.
Output: a device, products of matrices, random generators, a held lock, a progress bar.
"""
