"""Attraction basins of samples and of weights: how much noise a network bears.

In come a network, samples, their classes and a seed for the noise.
Out go shares of correct answers by amplitude, and sizes of basins with their errors.
"""
