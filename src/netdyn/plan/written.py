"""Files of settings and code among a rule's inputs; methods whose results are cached."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from netdyn.plan.code_cache import CodeCache
from netdyn.records.files import digest, write_json

__all__ = ["RESULTS", "code", "once", "written"]

T = TypeVar("T")

RESULTS = Path("results")


def once(method: Callable[..., T]) -> Callable[..., T]:
    """Cache a plan's method by its arguments, because thousands of jobs call it with the same.

    A table that is committed while the workflow runs is thereby noticed by the next workflow. The
    results are shared, so callers must not change them.
    """
    name = method.__name__

    @functools.wraps(method)
    def cached(self: Any, *arguments: str) -> T:
        results = self.__dict__.setdefault("_results", {})
        if (name, *arguments) not in results:
            results[name, *arguments] = method(self, *arguments)
        return results[name, *arguments]

    return cached


@functools.cache  # one reading of the source for all jobs of a workflow
def code(module: str, results: Path = RESULTS) -> str:
    """Return the file, in `results`, that stands for the code of a module and all that it imports.

    It holds their digests and is named by them: the input by which a rule reruns exactly when code
    it uses has changed its meaning.
    """
    return written(results / "code", module, _cache(results).digests(module))


@functools.cache
def _cache(results: Path) -> CodeCache:
    return CodeCache(results / "code" / "digests.json")


def written(folder: Path, name: str, value: Mapping[str, Any]) -> str:
    """Write `value` to a file that is never rewritten, its content being part of its name.

    Snakemake records its inputs when a job ends. Were the file rewritten under a running job, by a
    dry run after an edit, what the job made from the old content would pass for the new.
    """
    path = folder / f"{name}-{digest(value)[:10]}.json"
    write_json(path, value, durable=False)
    return str(path)
