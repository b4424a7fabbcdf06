"""Settings laid over others."""

from collections.abc import Mapping

__all__ = ["overlay"]


def overlay(base: Mapping, *tops: Mapping) -> dict:
    """Return `base` with each of `tops` laid over it: mappings are merged, the rest replaced."""
    merged = dict(base)
    for top in tops:
        for key, value in top.items():
            both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
            merged[key] = overlay(merged[key], value) if both else value
    return merged
