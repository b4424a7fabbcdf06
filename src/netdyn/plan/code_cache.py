"""Digests of code from an earlier dry run: to parse this package takes a third of one."""

import contextlib
import functools
import hashlib
import json
from pathlib import Path

from netdyn.errors import NetdynError
from netdyn.records import import_graph
from netdyn.records.files import atomic_write
from netdyn.records.import_graph import code_digests

__all__ = ["CodeCache"]

# What the digests follow from.
_HOW = {"records/import_graph.py", "records/source_cache.py", "plan/code_cache.py"}


class CodeCache:
    """What `code_digests` returned before, as long as the files are the same, byte for byte.

    Which modules a module imports follows from the bytes of the files that it was found to import
    and from which files there are. An entry is left out as soon as either is other than it was.

    Args:
        path: where they are kept; a file that is missing, damaged or cannot be written is no error.
    """

    def __init__(self, path: Path):
        self._path = path
        self._bytes, self._first = _bytes(import_graph.PACKAGE)
        self._meanings: dict[str, str] = {}
        self._imported: dict[str, list[str]] = {}
        try:
            kept = json.loads(path.read_bytes())
            if list(kept["bytes"]) == list(self._bytes):
                same = {name for name in self._bytes if kept["bytes"][name] == self._bytes[name]}
                if not self._bytes.keys() & _HOW <= same:
                    same = set()  # digests are taken in another way
                self._meanings = {k: str(v) for k, v in kept["meanings"].items() if k in same}
                self._imported = {
                    module: names
                    for module, names in kept["modules"].items()
                    if self._meanings.keys() >= set(names)
                }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            pass

    def digests(self, module: str) -> dict[str, str]:
        """Return `code_digests` of a module."""
        if module in self._imported:
            return {name: self._meanings[name] for name in self._imported[module]}
        digests = code_digests(module)
        # Where bytes changed meanwhile, nobody knows which of them were parsed.
        if not self._first or any(self._bytes.get(name) != _digest(name) for name in digests):
            return digests
        self._imported[module] = list(digests)
        self._meanings.update(digests)
        kept = {"bytes": self._bytes, "meanings": self._meanings, "modules": self._imported}
        with (
            contextlib.suppress(OSError, NetdynError),
            atomic_write(self._path, durable=False) as temporary,
        ):
            temporary.write_text(json.dumps(kept), encoding="utf-8")
        return digests


@functools.cache
def _bytes(package: Path) -> tuple[dict[str, str], bool]:
    """Return a SHA-256 of each file by its path inside, and whether nothing was parsed before.

    What was parsed before the bytes were read may be of other bytes: it must not be kept with them.
    """
    digests = {
        name: _digest(name)
        for name in sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    }
    return digests, import_graph._source.cache_info().currsize == 0


def _digest(name: str) -> str:
    return hashlib.sha256((import_graph.PACKAGE / name).read_bytes()).hexdigest()
