"""Messages and progress of a job, and the signals that stop it."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator

__all__ = ["message", "progress", "stop_signals"]

# Seconds between two lines of progress where there is no terminal to draw a bar on.
PROGRESS_SECONDS = 15.0


def message(text: str) -> None:
    """Print a line to standard error at once."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect the first SIGINT or SIGTERM instead of ending; a second one ends the process."""
    caught: list[int] = []

    def handle(number: int, _frame: object) -> None:
        if caught:
            raise SystemExit(128 + number)
        caught.append(number)

    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def progress(name: str, steps: int) -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar on a terminal, and a line every 15 seconds elsewhere.

    Yields:
        What is called with the step, the number of steps and a text.
    """
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress, TextColumn, TimeRemainingColumn

        columns = (
            *Progress.get_default_columns()[:3],
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(name, total=steps, text="")
            yield lambda step, _steps, text: bar.update(task, completed=step, text=text)
        return
    started, last, first = time.monotonic(), 0.0, None

    def line(step: int, steps: int, text: str) -> None:
        nonlocal last, first
        now = time.monotonic()
        first = step if first is None else first
        if now - last < PROGRESS_SECONDS and step < steps:
            return
        last = now
        rate = (step - first) / max(now - started, 1e-9)
        left = f", {(steps - step) / rate / 60:.1f} min left" if rate > 0 else ""
        message(f"{name}: step {step:,} of {steps:,} ({step / steps:.1%}){left}; {text}")

    yield line
