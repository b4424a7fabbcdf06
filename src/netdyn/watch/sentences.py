"""What is said of a run when it begins, when a job fails, and when it ends."""

from netdyn.watch.run_state import RunState
from netdyn.watch.words import duration

__all__ = ["beginning", "end_of_log", "ending", "failure"]

# Lines of a failed job's log that are shown, and bytes of it that are read.
LOG_LINES, LOG_BYTES = 20, 20_000
# Failed jobs that the last lines name.
NAMED = 10


def beginning(state: RunState, seconds: float) -> str:
    """Return how many jobs there are, how long they take, and where figures will be."""
    kind = "core" if state.local else "job"
    at_once = f"{state.cores:g} {kind}{'s' * (state.cores != 1)}"
    at_once += "" if state.local else " at a time"
    text = f"{_jobs(state)}, about {duration(seconds)} on {at_once}"
    return f"{text}; figures will be in {_folders(state)}" if state.outputs else text


def failure(name: str, logs: list[str]) -> str:
    """Return which job has failed, where its logs are, and the end of the first that says anything.

    On a cluster the job's own log may be empty, and the cluster's says more.
    """
    if not logs:
        return f"{name}: FAILED, and has no log"
    for log in logs:
        if end := end_of_log(log):
            return "\n".join([f"{name}: FAILED. The end of its log, {log}:", *end])
    return f"{name}: FAILED. Its log is empty: {', '.join(logs)}"


def ending(state: RunState, seconds: float) -> str:
    """Return how a run has ended after some seconds; in several lines where jobs have failed."""
    took, again = duration(seconds), "The same command goes on from here."
    if state.done >= state.total and not state.failed:
        where = f"; figures are in {_folders(state)}" if state.outputs else ""
        return f"{_jobs(state)} done in {took}{where}"
    if not state.failed:
        return f"Stopped after {took}: {state.done:,} of {_jobs(state)} done. {again}"
    lines = [f"{len(state.failed):,} of {_jobs(state)} failed, {state.done:,} done, after {took}:"]
    failed = list(state.failed.values())
    lines += [f"  {name}{f', see {log}' if log else ''}" for name, log in failed[:NAMED]]
    if len(failed) > NAMED:
        lines.append(f"  and {len(failed) - NAMED:,} more")
    return "\n".join([*lines, again])


def end_of_log(path: str) -> list[str]:
    """Return the last lines of a log; none where it is empty or missing."""
    try:
        with open(path, "rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - LOG_BYTES, 0))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-LOG_LINES:]


def _jobs(state: RunState) -> str:
    return f"{state.total:,} job{'s' * (state.total != 1)}"


def _folders(state: RunState) -> str:
    first, rest = state.outputs[:2], len(state.outputs) - 2
    return f"{', '.join(first)} and {rest} more" if rest > 0 else " and ".join(first)
