"""Figures of anybody's tables: a function per kind of table, in the style of the paper's figures.

Input: tables that `netdyn.read` or a monitor returns, and axes to draw on. Nothing is measured.
Output: matplotlib Axes.
"""
