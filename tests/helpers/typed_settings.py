"""Whether settings are of their type: the keys of typed dictionaries, and the values in them."""

import importlib
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from netdyn.quantities.modules import module_of
from netdyn.quantities.subject import MeasurementSettings

__all__ = ["mismatches", "type_of"]


def type_of(quantity):
    """Return the type of a quantity's settings; a history is not measured."""
    if quantity == "history":
        return MeasurementSettings
    return get_type_hints(importlib.import_module(module_of(quantity)).measure)["settings"]


def mismatches(value, expected, where="settings"):
    """Return what in `value` is not of the type `expected`, a line each.

    As in JSON, a list stands for a tuple, and a whole number for a float; True is no number.
    """
    if is_typeddict(expected):
        return [*_keys(value, expected, where), *_values(value, get_type_hints(expected), where)]
    origin, inner = get_origin(expected), get_args(expected)
    if origin in (UnionType, Union):
        found = [mismatches(value, each, where) for each in inner]
        return [] if [] in found else min(found, key=len)
    if expected is Any or (origin is Literal and value in inner):
        return []
    if origin is list and isinstance(value, list):
        return [
            line for i, v in enumerate(value) for line in mismatches(v, inner[0], f"{where}[{i}]")
        ]
    if origin is tuple and isinstance(value, list | tuple):
        types = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        if len(types) == len(value):
            pairs = zip(value, types, strict=True)
            return [
                line for i, (v, t) in enumerate(pairs) for line in mismatches(v, t, f"{where}[{i}]")
            ]
    if origin is dict and isinstance(value, dict):
        return _values(value, dict.fromkeys(value, inner[1]), where)
    plain = {float: int | float}.get(expected, expected) if origin is None else ()
    if isinstance(value, plain) and (expected is bool or not isinstance(value, bool)):
        return []
    return [f"{where}: {value!r} is no {expected}"]


def _keys(value, expected, where):
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no {expected}"]
    missing = expected.__required_keys__ - value.keys()
    unknown = value.keys() - expected.__annotations__.keys()
    return [f"{where}: {key} is missing" for key in sorted(missing)] + [
        f"{where}: {key} is not in {expected.__name__}" for key in sorted(unknown)
    ]


def _values(value, types, where):
    if not isinstance(value, dict):
        return []
    known = [key for key in value if key in types]
    return [line for key in known for line in mismatches(value[key], types[key], f"{where}.{key}")]
