"""Files that are whole or not there, and the records that say what a file was made from.

In come bytes, values and the names of the modules that made them.
Out go files with checksums, and digests of code, machine and packages beside them.
"""
