"""A cache of runs and measurements that the schema accepts: to check all takes long."""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write

__all__ = ["CheckedEntries"]

# Each entry of them is checked by itself: one that is right in config.yaml is right in a scale.
BLOCKS = ("runs", "measurements")
MOST = 20_000  # kept entries, of 64 characters


class CheckedEntries:
    """The entries that the schema accepted, in this process or an earlier one.

    Args:
        schema: what they are checked by.
        checker: the source of what checks them.
        path: where they are kept, if its folder is there; one that is missing, damaged or cannot be
            written is no error.
    """

    def __init__(self, schema: Mapping, checker: bytes, path: Path | None = None):
        version = importlib.metadata.version("jsonschema").encode()
        parts = (json.dumps(schema).encode(), checker, version)
        self._by = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts))
        self._path = path
        self._right = _of_this_process(self._by.hexdigest())
        self._kept = _read(path, self._by.hexdigest()) if path else set()

    def left_out(self, config: Mapping) -> dict[str, Any]:
        """Return settings without the entries that are known to be right, one of a block kept."""
        left = dict(config)
        for block in BLOCKS:
            if texts := self._digests(config, block):
                known = self._right | self._kept
                new = [name for name, text in texts.items() if text not in known]
                left[block] = {name: config[block][name] for name in new or [next(iter(texts))]}
        return left

    def add(self, config: Mapping) -> None:
        """Note that all entries of these settings are right."""
        right = {text for block in BLOCKS for text in self._digests(config, block).values()}
        self._right |= right
        if self._path is None or right <= self._kept or not self._path.parent.is_dir():
            return
        self._kept = self._kept | right if len(self._kept) < MOST else right
        kept = {"by": self._by.hexdigest(), "right": sorted(self._kept)}
        with (
            contextlib.suppress(OSError, NetdynError),
            atomic_write(self._path, durable=False) as temporary,
        ):
            temporary.write_text(json.dumps(kept), encoding="utf-8")

    def _digests(self, config: Mapping, block: str) -> dict[str, str]:
        """Return a digest of each entry with its block and name; none where it is no block."""
        entries = config.get(block)
        named: Iterable = entries.items() if isinstance(entries, Mapping) else ()
        return {
            name: hashlib.sha256(json.dumps([block, name, entry]).encode()).hexdigest()
            for name, entry in named
        }


@functools.cache
def _of_this_process(by: str) -> set[str]:
    return set()  # to be added to


def _read(path: Path, by: str) -> set[str]:
    try:
        kept = json.loads(path.read_bytes())
        return {str(text) for text in kept["right"]} if kept["by"] == by else set()
    except (OSError, ValueError, TypeError, KeyError):
        return set()
