"""The strict check of the settings, and its errors as sentences that a reader can act on."""

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import jsonschema

from netdyn.errors import NetdynError
from netdyn.plan.checked_entries import CheckedEntries

__all__ = ["validate"]

_CHECKER = Path(__file__).read_bytes()


def validate(config: Mapping, schema: Mapping, kept: Path | None = None) -> None:
    """Check `config` against the strict schema; the error names the first key that is wrong.

    Runs and measurements that were found right before are not checked again: by this process, or by
    one that kept them at `kept`.
    """
    # JSON first: it turns YAML's dates and other oddities into errors of the same kind.
    try:
        config = json.loads(json.dumps(config))
    except (TypeError, ValueError) as error:
        where = ".".join(_culprit(config)) or "settings"
        raise NetdynError(
            f"{where}: {error}; write plain numbers, words and lists, and dates in quotes"
        ) from error
    checked = CheckedEntries(schema, _CHECKER, kept)
    new = checked.left_out(config)
    # A swept value is held to the same rule as the setting it sweeps.
    swept = {"$defs": schema["$defs"], "$ref": "#/$defs/run_settings"}
    _refuse(new, schema, "")
    for name, declared in new["runs"].items():
        for key, values in declared.get("sweep", {}).items():
            for value in values:
                _refuse({key: value}, swept, f"runs.{name}.sweep.")
    for where, number in _not_finite(config):
        raise NetdynError(f"{where}: {number} is not allowed: write a finite number")
    checked.add(config)


def _culprit(value: Any) -> list[str]:
    """Return the path to the first value that JSON cannot hold."""
    items = value.items() if isinstance(value, Mapping) else ()
    for key, each in enumerate(value) if isinstance(value, list) else items:
        try:
            json.dumps(each)
        except (TypeError, ValueError):
            return [str(key), *_culprit(each)]
    return []


def _not_finite(value: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """Yield place and value of each number that is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        yield where, value
    items = value.items() if isinstance(value, Mapping) else ()
    for key, each in enumerate(value) if isinstance(value, list) else items:
        yield from _not_finite(each, f"{where}.{key}" if where else str(key))


# JSON Schema takes 3.0 for an integer; as a width or a number of steps it would fail much later.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def _refuse(instance: Any, schema: Mapping, prefix: str) -> None:
    validator = _Validator(schema)
    if errors := list(validator.iter_errors(instance)):
        known = set(_property_names(schema))
        error = _first(errors, known)
        raise NetdynError(prefix + _explain(error, known))


def _first(
    errors: Iterable[jsonschema.ValidationError], known: set[str]
) -> jsonschema.ValidationError | None:
    return min(errors, key=lambda e: (_rank(e, known), str(e.path)), default=None)


def _rank(error: jsonschema.ValidationError, known: set[str]) -> int:
    """Put the cause before its consequences.

    What stands under a wrong name is called by it; a mistyped key also makes the right one missing;
    a wrong value also makes its whole block "unevaluated", so that keys which are quite right are
    reported as unknown.
    """
    if "propertyNames" in error.schema_path:
        return 0
    if error.validator not in _UNKNOWN_KEY:
        return 2
    return 1 if _unknown_keys(error, known) else 3


def _unknown_keys(error: jsonschema.ValidationError, known: set[str]) -> list[str]:
    named = [key for key in error.instance if f"'{key}'" in error.message]
    return [key for key in named if key not in known]


_UNKNOWN_KEY = ("additionalProperties", "unevaluatedProperties")
_KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "keys and values",
    "string": "text",
}
_PLURALS = {"integer": "whole numbers", "number": "numbers", "string": "texts"}
_IN_A_FILE = "; on the command line, in a --configfile"


def _explain(error: jsonschema.ValidationError, known: set[str]) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "settings"
    if error.validator in _UNKNOWN_KEY:
        unknown = _unknown_keys(error, known)
        if not unknown:
            return f"{where}: {error.message.split('(')[-1].rstrip(')')} here: remove it"
        allowed = error.schema.get("properties", {})
        near = difflib.get_close_matches(unknown[0], allowed, n=1)
        near = near or difflib.get_close_matches(unknown[0], known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ": remove it, or correct its name"
        return f"{where}: unknown key {unknown[0]!r}{hint}"
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        return f"{where}: {error.instance!r} must be one of {allowed}"
    if _takes_numbers(error) and (number := _written_as_text(error.instance)):
        correction = f"write the number {number}, without quotes"
        # Snakemake's --config takes all that stands in a list or a block for text.
        correction += _IN_A_FILE if len(error.absolute_path) > 1 else ""
        return f"{where}: {error.instance!r} is text: {correction}"
    if error.validator == "type":
        kind = error.validator_value
        plain = isinstance(error.instance, str | int | float)
        text = f"{where}: {error.instance!r} must be {_KINDS[kind]}"
        return text + _as_list(error) + _IN_A_FILE if kind == "array" and plain else text
    if error.validator == "anyOf":
        if inside := _first(_inside(error), known):
            return _explain(inside, known)
        return f"{where}: {error.instance!r} must be {error.schema['description']}"
    if error.validator == "pattern":
        return f"{where}: {error.instance!r} is not allowed: {error.schema['description']}"
    return f"{where}: {error.message}"


def _as_list(error: jsonschema.ValidationError) -> str:
    """Say how a single value is written as a list, or what the list is to hold."""
    item = error.schema.get("items", {}).get("type")
    number = _written_as_text(error.instance) if item in ("integer", "number") else None
    if number is None and item and not _Validator({"type": item}).is_valid(error.instance):
        return f" of {_PLURALS.get(item, 'other values')}"
    return f": write [{number or json.dumps(error.instance)}]"


def _inside(error: jsonschema.ValidationError) -> list[jsonschema.ValidationError]:
    """Return what is wrong inside a list or mapping, where one of the alternatives takes such."""
    if not isinstance(error.instance, list | Mapping):
        return []
    other = ("type", "const", "anyOf")
    return [each for each in error.context if each.path or each.validator not in other]


def _takes_numbers(error: jsonschema.ValidationError) -> bool:
    kinds = [each.validator_value for each in (error, *error.context) if each.validator == "type"]
    return "integer" in kinds or "number" in kinds


def _written_as_text(value: Any) -> str | None:
    """Return the number that a text stands for, as YAML reads it; None where it stands for none."""
    try:
        number = Decimal(value) if isinstance(value, str) else Decimal("nan")
    except InvalidOperation:
        return None
    return format(number, "f") if number.is_finite() else None


def _property_names(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _property_names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _property_names(value)
