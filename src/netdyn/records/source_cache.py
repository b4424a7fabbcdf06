"""What parsing a source file told, kept beside its bytecode: every job asks for it.

Each source has a file of its own in `__pycache__`, named like its bytecode. Its content holds for
the bytes of the source and of what parses it, whatever their dates.
"""

import contextlib
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write, digest

__all__ = ["keep", "kept", "key"]


def key(source: bytes, parser: bytes) -> str:
    """Return what an entry is kept for: these bytes of a source, parsed by this code."""
    return hashlib.sha256(hashlib.sha256(parser).digest() + source).hexdigest()


def kept(path: Path, key: str) -> dict | None:
    """Return what was kept for the source file at `path`; None where nothing was, for this key.

    An entry that is damaged counts as none.
    """
    try:
        entry = json.loads(_place(path).read_bytes())
        facts = entry["facts"]
        return facts if entry["seal"] == digest([key, facts]) else None
    except (OSError, ValueError, TypeError, KeyError, NotImplementedError):
        return None


def keep(path: Path, key: str, facts: dict) -> None:
    """Keep what parsing the source file at `path` told, unless nothing may be written there."""
    if sys.dont_write_bytecode:
        return
    entry = {"facts": facts, "seal": digest([key, facts])}
    with (
        contextlib.suppress(OSError, NetdynError, NotImplementedError),
        atomic_write(_place(path), durable=False) as temporary,
    ):
        temporary.write_text(json.dumps(entry), encoding="utf-8")


def _place(path: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(path))).with_suffix(".meaning.json")
