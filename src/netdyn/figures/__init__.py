"""The paper's figures: each module has `draw(tables, settings)`, and measures nothing.

In come tables by their names, as `DataFrame`s, and settings such as `title` and `note`.
Out comes a matplotlib Figure, which `netdyn.figures.drawing` saves with its record.
"""
