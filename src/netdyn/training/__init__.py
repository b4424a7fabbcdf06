"""A run is trained here: its steps, when it is evaluated and kept, how it goes on after a cut.

In come resolved settings and a prepared data set.
Out goes the folder of a run: weights at the kept steps, history, provenance, manifest.
"""
