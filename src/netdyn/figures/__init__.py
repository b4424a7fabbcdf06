"""The paper's figures: a module per figure with `draw(tables, settings)`, and shared axes.

Input: tables as `DataFrame`s by name, and settings such as `title`. Nothing is measured or judged.
Output: a matplotlib Figure, which `netdyn.figures.drawing` saves as PDF and PNG with its record.
"""
