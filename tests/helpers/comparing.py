"""How runs are compared: by the bytes and weights that must be equal."""

import itertools

import torch

from netdyn.records import files
from netdyn.results import runs


def bits(run):
    """The bytes of a run's files that must be equal between equal runs."""
    names = [name for name in files.RUN_FILES if name != "provenance.json"]
    return {name: (run / name).read_bytes() for name in names}


def weights(run, step="last"):
    return runs.load_model(run, step).state_dict()


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def after(calls):
    """A `stopping` that stays false for so many calls: one call a step while it is false."""
    count = itertools.count()
    return lambda: next(count) >= calls
