"""The reference of the configuration: every key with its values, its default and its meaning.

Keys, defaults and meanings are those of config.yaml and of the types of settings beside each
quantity, values those of the schema.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from fill_sources import quantity_names, typed_keys

__all__ = ["page"]

INTRODUCTION = """# Configuration

<!-- Written by docs/fill.py from config.yaml, the schema and the types of settings. -->

`config.yaml` holds every setting. A scale lays `workflow/scales/<scale>.yaml` over it,
`--configfile mine.yaml` comes next, and `--config key=value` last. Lists and nested values can
stand in files alone. Unknown keys are errors that name the nearest known one.

## Top level
"""
RUNS = """
## Runs

`run_defaults` says what a run is unless its entry under `runs:` says otherwise. An entry may also
hold `sweep`, lists of values of which every combination is a training; `seeds`, instead of those
above; and `seeds_where`, other seeds for some points of the sweep.
"""
FIGURES = """
## Figures

An entry under `figures:` names the tables that a figure is drawn from.
"""
MEASUREMENTS = """
## Measurements

An entry under `measurements:` becomes one table. It names its `quantity`, the `run` or runs, and,
where it should not take all of them, `seeds` and `where`, the swept values to take. `threads`
overrides the number of processor threads. The other settings depend on the quantity.
`toy_neurons` has no run, and `history` and `test_distance` have no settings of their own.
"""


def page(root: Path) -> str:
    """Return the page.

    Args:
        root: of the repository.
    """
    lines = (root / "config.yaml").read_text(encoding="utf-8").splitlines()
    defaults = yaml.safe_load("\n".join(lines))
    schema = yaml.safe_load(
        (root / "workflow/schemas/settings.schema.yaml").read_text(encoding="utf-8")
    )
    top = [key for key in defaults if not isinstance(defaults[key], dict)]
    parts = [INTRODUCTION, _table(schema, schema["properties"], defaults, top, _meanings(lines, 0))]
    parts += [RUNS]
    of_run, start = schema["$defs"]["run_settings"]["properties"], lines.index("run_defaults:")
    meanings = _meanings(lines[start + 1 :], 2)
    run_defaults = defaults["run_defaults"]
    parts.append(_table(schema, of_run, run_defaults, list(run_defaults), meanings))
    of_figure = schema["properties"]["figures"]["additionalProperties"]["properties"]
    parts += [FIGURES, _figure_table(schema, of_figure), MEASUREMENTS]
    for quantity in quantity_names(schema):
        keys = typed_keys(root, quantity)
        if keys:
            rows = [f"| `{key}` | {_cell(kind)} | {_cell(text)} |" for key, kind, text in keys]
            parts += [f"\n### {quantity}\n", "\n".join(["| key | type | meaning |", RULE, *rows])]
    return "\n".join(parts).rstrip() + "\n"


RULE = "| --- | --- | --- |"


def _table(
    schema: Mapping, properties: Mapping, defaults: Mapping, keys: list[str], meanings: Mapping
) -> str:
    rows = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for key in keys:
        values = " or ".join(_values(schema, properties[key]))
        default = yaml.safe_dump(defaults[key], default_flow_style=True).split("\n")[0]
        rows.append(f"| `{key}` | {_cell(values)} | `{default}` | {_cell(meanings[key])} |")
    return "\n".join(rows)


def _figure_table(schema: Mapping, properties: Mapping) -> str:
    rows = ["| key | values | meaning |", RULE]
    for key, node in properties.items():
        values = " or ".join(_values(schema, node))
        rows.append(f"| `{key}` | {_cell(values)} | {_cell(node.get('$comment', ''))} |")
    return "\n".join(rows)


def _values(schema: Mapping, node: Mapping[str, Any]) -> Iterator[str]:
    """Yield the kinds of values that a part of the schema allows, in words."""
    if "$ref" in node:
        yield from _values(schema, schema["$defs"][node["$ref"].rpartition("/")[2]])
    elif "enum" in node:
        yield ", ".join(f"`{value}`" for value in node["enum"])
    elif "const" in node:
        yield f"`{node['const']}`"
    elif "anyOf" in node:
        for part in node["anyOf"]:
            yield from _values(schema, part)
    elif node["type"] == "array":
        items = " or ".join(_values(schema, node["items"]))
        yield f"a list of {items.replace('whole number', 'whole numbers').replace('text', 'names')}"
    elif node["type"] == "object":
        yield "a block of " + ", ".join(f"`{key}`" for key in node.get("properties", ()))
    else:
        yield {"integer": "whole number", "boolean": "`true`, `false`", "string": "text"}.get(
            node["type"], node["type"]
        ) + _bounds(node)


def _bounds(node: Mapping[str, Any]) -> str:
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤"}
    return "".join(f" {sign} {node[key]:g}" for key, sign in words.items() if key in node)


def _meanings(lines: list[str], indent: int) -> dict[str, str]:
    """Return the comment of each key of a block of YAML; keys below belong to the one above."""
    meanings: dict[str, str] = {}
    for line in lines:
        key, comment = re.match(r"( *\w+:)?[^#]*(?:# ?(.*))?", line).groups()
        if key and len(key) - len(key.lstrip()) < indent:
            break
        name = (key or "").strip().rstrip(":")
        if key and len(key) - len(key.lstrip()) == indent:
            # The values have a column of their own.
            meanings[name] = re.sub(r"^\w+( \| \w+)+[;:] |^\w+( \| \w+)+$", "", comment or "")
        elif meanings and (comment or "").rstrip("- "):
            last = list(meanings)[-1]
            start = f"; `{name}`: " if key else " "
            meanings[last] = f"{meanings[last]}{start}{comment}".strip()
        elif meanings and not line.strip():
            break
    return meanings


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").strip()
