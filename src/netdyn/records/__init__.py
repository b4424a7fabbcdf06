"""Atomic files, and records of what a file was made from.

Input: bytes, values, and the names of the modules that made them.
Output: files with checksums; sealed records; digests of code, versions of packages, machine.
"""
