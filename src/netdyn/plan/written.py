"""Files that stand for settings and code among a rule's inputs; answers that are given once."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from netdyn.records.files import digest, write_json
from netdyn.records.import_graph import code_digests

__all__ = ["RESULTS", "code", "once", "written"]

T = TypeVar("T")

RESULTS = Path("results")


def once(method: Callable[..., T]) -> Callable[..., T]:
    """Let a plan's method find each answer once: thousands of jobs ask for the same.

    What is committed while the workflow runs is thereby seen by the next one. The answers are
    shared: nobody may change them.
    """
    name = method.__name__

    @functools.wraps(method)
    def answered(self: Any, *asked: str) -> T:
        answers = self.__dict__.setdefault("_answers", {})
        if (name, *asked) not in answers:
            answers[name, *asked] = method(self, *asked)
        return answers[name, *asked]

    return answered


@functools.cache  # one reading of the source for all jobs of a workflow
def code(module: str) -> str:
    """Return the file that stands for the code of a module and all that it imports.

    It holds their digests and is named by them: the input by which a rule reruns exactly when code
    it uses has changed its meaning.
    """
    return written(RESULTS / "code", module, code_digests(module))


def written(folder: Path, name: str, value: Mapping[str, Any]) -> str:
    """Write `value` to a file that is never rewritten, its content being part of its name.

    Snakemake records its inputs when a job ends. Were the file rewritten under a running job, by a
    dry run after an edit, what the job made from the old content would pass for the new.
    """
    path = folder / f"{name}-{digest(value)[:10]}.json"
    write_json(path, value, durable=False)
    return str(path)
