"""Training of a run: its steps, evaluations, snapshots, and how it resumes.

Input: resolved settings and a prepared data set.
Output: the folder of a run: weights at the steps of its schedule, history, provenance, manifest.
"""
