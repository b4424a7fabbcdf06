"""A cache of what parsing source files gives, which every job of the workflow needs.

The entry of a source file lies beside its bytecode in `__pycache__`. It is valid for the bytes of
the source and of the code that parses it, whatever their dates.
"""

import contextlib
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write, digest

__all__ = ["key", "load", "store"]

# Python has no place for bytecode where its implementation has no cache tag.
_NO_PLACE = NotImplementedError


def key(source: bytes, parser: bytes) -> str:
    """Return the key of an entry: the digest of a source's bytes and of the code that parses it."""
    return hashlib.sha256(hashlib.sha256(parser).digest() + source).hexdigest()


def load(path: Path, key: str) -> dict | None:
    """Return the entry of the source file at `path`; None where there is none for this key.

    A damaged entry counts as none.
    """
    try:
        entry = json.loads(_place(path).read_bytes())
        facts = entry["facts"]
        return facts if entry["seal"] == digest([key, facts]) else None
    except (OSError, ValueError, TypeError, KeyError, _NO_PLACE):
        return None


def store(path: Path, key: str, facts: dict) -> None:
    """Store what parsing the source file at `path` gave, where bytecode may be written."""
    if sys.dont_write_bytecode:
        return
    entry = {"facts": facts, "seal": digest([key, facts])}
    with (
        contextlib.suppress(OSError, NetdynError, _NO_PLACE),
        atomic_write(_place(path), durable=False) as temporary,
    ):
        temporary.write_text(json.dumps(entry), encoding="utf-8")


def _place(path: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(path))).with_suffix(".meaning.json")
