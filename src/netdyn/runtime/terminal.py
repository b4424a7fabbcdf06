"""Messages and progress of a job, and the signals that stop it."""

import contextlib
import errno
import io
import signal
import sys
import time
from collections.abc import Callable, Iterator

__all__ = [
    "Signals",
    "escape_unknown_characters",
    "ignore_checkpoint_signal",
    "message",
    "prefix_messages",
    "progress",
    "received_signals",
]

# Seconds between two lines of progress where there is no terminal to draw a bar on.
PROGRESS_SECONDS = 15.0


_prefix = ""


def prefix_messages(prefix: str) -> None:
    """Begin each message of this process with `prefix`, which says which of several it is."""
    global _prefix
    _prefix = prefix


def message(text: str) -> None:
    """Print a line to standard error at once; where its reader is gone, the work goes on."""
    try:
        print(_prefix + text, file=sys.stderr, flush=True)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise


def escape_unknown_characters() -> None:
    """Let a terminal whose locale has no × or η show an escape, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower() != "utf-8":
            stream.reconfigure(errors="backslashreplace")


# Windows has neither of the two.
_HANGUP = getattr(signal, "SIGHUP", None)
_CHECKPOINT = getattr(signal, "SIGUSR1", None)


class Signals:
    """What signals have told the work to do."""

    def __init__(self) -> None:
        self.stop: int | None = None  # the number of the first that stops the work
        self._checkpoint = False

    def stopping(self) -> bool:
        """Return whether the work is to stop."""
        return self.stop is not None

    def checkpoint_due(self) -> bool:
        """Return whether a checkpoint was requested since the last call."""
        due, self._checkpoint = self._checkpoint, False
        return due

    def receive(self, number: int, _frame: object = None) -> None:
        """Take note of a signal; raises SystemExit on the second SIGINT or SIGTERM."""
        if number == _CHECKPOINT:
            self._checkpoint = True
        elif self.stop is None:
            self.stop = number
        elif number != _HANGUP:  # a terminal that closes may send several
            raise SystemExit(128 + number)


@contextlib.contextmanager
def received_signals() -> Iterator[Signals]:
    """Collect signals in the block instead of ending.

    SIGINT, SIGTERM and SIGHUP stop the work; SIGHUP does not where it was ignored at the start, as
    `nohup` has it. SIGUSR1 requests a checkpoint.
    """
    signals = Signals()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if _HANGUP is not None and signal.getsignal(_HANGUP) != signal.SIG_IGN:
        numbers.append(_HANGUP)
    if _CHECKPOINT is not None:
        numbers.append(_CHECKPOINT)
    before = {number: signal.signal(number, signals.receive) for number in numbers}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_checkpoint_signal() -> None:
    """Let work without checkpoints, such as a measurement, go on at SIGUSR1 instead of ending."""
    if _CHECKPOINT is not None:
        signal.signal(_CHECKPOINT, signal.SIG_IGN)


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
