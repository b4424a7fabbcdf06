"""The commands of the command line, a function each, by family.

Input: words and options of a call, as `netdyn.cli` parses them.
Output: what `netdyn.jobs` and the rooms below make of them; a mistake is a `NetdynError`.
"""
