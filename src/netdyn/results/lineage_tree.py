"""A file's origin as a tree on the terminal: figure, tables, measured parts, runs, data."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

__all__ = ["show"]

SHORT = 12  # digits of a digest; --json has them all
PLAIN = ("torch", "numpy", "pandas", "matplotlib")


def show(node: Mapping[str, Any]) -> None:
    """Print where a file came from, as `lineage.trace` found it; each run is shown once."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    console.print(_tree(node, set()))


def _tree(node: Mapping[str, Any], shown: set[str]) -> Tree:
    branch = Tree(Text(_title(node)))
    if node["kind"] == "run" and node["id"] in shown:
        branch.add(Text("as above"))
        return branch
    if node["kind"] == "run":
        shown.add(node["id"])
    for line in _lines(node):
        branch.add(Text(line))
    for origin in node.get("from", ()):
        branch.children.append(_tree(origin, shown))
    return branch


def _title(node: Mapping[str, Any]) -> str:
    kind = "table" if node["kind"] == "committed" else node["kind"]
    name = node.get("id") or node.get("name") or node.get("quantity") or ""
    title = f"{kind} {name}".strip()
    return f"{title}: {node['file']}" if "file" in node else title


def _lines(node: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(node.get("sha256"), str):
        yield f"sha256 {node['sha256'][:SHORT]}" + (
            ""
            if node.get("exact", True)
            else ": other bytes than those on record, drawn again of the same or changed since"
        )
    if "record" in node:
        yield f"record {node['record'] or 'missing'}"
    if "embedded" in node:
        yield "carries " + ", ".join(f"{k} {v[:SHORT]}" for k, v in node["embedded"].items())
    if "settings" in node:
        yield "settings " + ", ".join([*_quantity(node), *_settings(node["settings"])])
    if "identity" in node:
        yield ", ".join(f"{key} {value}" for key, value in node["identity"].items())
    for key in ("manifest_sha256", "data_sha256", "claims_sha256"):
        if key in node:
            yield f"{key.removesuffix('_sha256')} {node[key][:SHORT]}"
    if node["kind"] == "run" and node.get("made") is None:
        yield "its provenance is missing"
    if node.get("made"):
        yield from _origin_lines(node["made"], node["made"])
    for entry in node.get("measured", ()):
        yield f"measured {', '.join(entry['runs']) or 'without a run'}"
        yield from _origin_lines(entry, node["environments"][entry["environment"]])
    unmeasured = node["kind"] == "committed" and not node.get("measured")
    if unmeasured and node.get("quantity") != "history":
        yield "measured before the measuring itself was put on record"


def _origin_lines(origin: Mapping[str, Any], environment: Mapping[str, Any]) -> Iterator[str]:
    """Yield when and how long, by which code, where and with which versions."""
    words = [f"{origin['started']} to {origin['finished']}, {origin['seconds']:,} s"]
    words += [f"{origin[key]} {key}" for key in ("threads", "sittings") if key in origin]
    words += [origin[key] for key in ("device_name", "device") if key in origin][:1]
    yield "when " + ", ".join(words)
    commit = (origin.get("commit") or "outside of git")[: SHORT + 29]
    yield f"code {origin['code_sha256'][:SHORT]}, commit {commit}, netdyn {environment['netdyn']}"
    machine = environment["machine"]
    yield f"machine {machine['processor']}, {machine['cores']} cores, {machine['system']}"
    packages = environment["packages"]
    versions = [f"{name} {packages[name]}" for name in PLAIN if name in packages]
    yield f"versions Python {environment['python']}, " + ", ".join(versions)
    if "data_sha256" in origin:
        yield f"data {origin['data_sha256'][:SHORT]}"


def _quantity(node: Mapping[str, Any]) -> list[str]:
    return [node["quantity"]] if "quantity" in node else []


def _settings(settings: Mapping[str, Any]) -> list[str]:
    return [f"{key} {json.dumps(value)}" for key, value in settings.items()]
