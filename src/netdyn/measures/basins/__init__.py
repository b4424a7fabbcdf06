"""Attraction basins of samples and of weights: how much noise a network tolerates.

Input: a network, samples, their classes and a seed for the noise.
Output: shares of correct predictions by amplitude, and sizes of basins with their errors.
"""
