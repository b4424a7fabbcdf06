"""The picture of a run: a line of overall progress, and one of each running job."""

from collections.abc import Mapping

from rich.text import Text

from netdyn.records.progress_files import Progress
from netdyn.watch.run_state import Job, RunState, seconds_left
from netdyn.watch.words import duration, job_name, shortened

__all__ = ["overall", "picture"]

BAR = 24  # characters, at most
# Jobs below this many seconds are shown without the time that they take yet.
SHORT = 3.0
NAME = 26  # characters that are left for a job's name before its accuracies are


def picture(
    state: RunState, progress: Mapping[int, Progress | None], width: int, height: int, now: float
) -> list[Text]:
    """Return the lines of a run.

    Args:
        state: the run.
        progress: how far its running jobs are (`RunState.progress`).
        width: characters a line may have.
        height: lines there may be, 2 or more.
        now: the time.
    """
    lines = [overall(state, progress, width, now)]
    # Those that say how far they are come first: on a cluster others may be waiting.
    numbers = sorted(state.running, key=lambda n: (progress.get(n) is None, n))
    shown = numbers if len(numbers) < height else numbers[: max(height - 2, 0)]
    lines += [_of_job(state, n, progress.get(n), width, now) for n in shown]
    if len(shown) < len(numbers):
        what = "more jobs" if state.local else "more jobs, some of them waiting"
        lines.append(Text(shortened(f"  … {len(numbers) - len(shown)} {what}", width)))
    return lines


def overall(
    state: RunState, progress: Mapping[int, Progress | None], width: int, now: float
) -> Text:
    """Return the line of overall progress: a bar, per cent, jobs, time left."""
    share = state.share_done(dict(progress), now)
    # Never 100 % while something runs.
    percent = int(100 * share) if state.done < state.total else 100
    left = duration(state.seconds_left(dict(progress), now))
    failed = f" · {len(state.failed)} failed" if state.failed else ""
    text = f"{percent:3d} % · {state.done:,} of {state.total:,} jobs{failed} · about {left} left"
    bar = max(min(BAR, width - len(text) - 1), 0)
    filled = round(bar * percent / 100)
    line = Text("━" * filled, style="green") + Text("─" * (bar - filled), style="dim")
    line.append(shortened(f" {text}" if bar else text, width - bar), style="bold")
    return line


def _of_job(
    state: RunState, number: int, progress: Progress | None, width: int, now: float
) -> Text:
    job = state.running[number]
    name, facts = _name(job, progress), _facts(state, job, progress, now)
    # What a line cannot hold is left out from the end, but the time left, which stands last.
    while len(facts) > 1 and width - 4 - len(" · ".join(facts)) < min(NAME, len(name)):
        del facts[-2]
    right = " · ".join(facts)
    room = max(width - 4 - len(right), 8)
    line = f"  {shortened(name, room):{room}}  {right}"
    return Text(line[:width])


def _name(job: Job, progress: Progress | None) -> str:
    """Return what a job does; a job may train another run than its own."""
    if progress is None or not job.name.startswith("train "):
        return job.name
    return job_name("", f"train {progress['name']}", {}, "")


def _facts(state: RunState, job: Job, progress: Progress | None, now: float) -> list[str]:
    if progress is None:
        elapsed = now - job.started
        if not state.local:
            return [f"submitted {duration(elapsed)} ago"]
        left = job.seconds - elapsed
        return [
            f"{duration(elapsed)}, {duration(left)} left" if left > SHORT else duration(elapsed)
        ]
    facts = [f"step {progress['step']:,} of {progress['steps']:,}"]
    if job.name.startswith("measure "):
        facts = [f"run {progress['step'] + 1:,} of {progress['steps']:,}"]
    if progress["text"]:
        facts.append(progress["text"])
    left = seconds_left(job, progress, now)
    facts.append(f"{duration(now - job.started)}" if left is None else f"{duration(left)} left")
    return facts
