"""Training of a run: recorded steps, evaluation of accuracies and statistics, checkpoints.

Input: resolved settings and a prepared data set.
Output: a run's folder: weights at the snapshot steps, history, provenance, manifest.
"""
