"""Where a run is shown: lines that stay, and on a terminal a picture below them that changes."""

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

__all__ = ["Output"]


class Output:
    """Writes lines to a stream; on a terminal the last lines can be a picture that is redrawn."""

    def __init__(self, stream: TextIO, colours: bool = True):
        """Args: the stream; whether a terminal may have colours."""
        self._stream = stream
        self._console: Console | None = None
        self._live: Live | None = None
        is_terminal = getattr(stream, "isatty", lambda: False)()
        if is_terminal and os.environ.get("TERM", "dumb") != "dumb":
            self._console = Console(file=stream, no_color=not colours or None, highlight=False)

    @property
    def is_terminal(self) -> bool:
        """Whether pictures are shown."""
        return self._console is not None

    @property
    def size(self) -> tuple[int, int]:
        """Characters in a line, and lines, that a picture may have."""
        if self._console is None:
            return 80, 24
        width, height = self._console.size
        # A line that fills the terminal to its last column is wrapped by some.
        return max(width - 1, 20), max(min(height - 4, 12), 2)

    def line(self, text: str, style: str = "") -> None:
        """Write text, of one line or several, that stays."""
        if self._console is not None:
            encoding = self._console.encoding
            self._console.print(Text(_encodable(text, encoding), style=style), soft_wrap=True)
            return
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(_encodable(text, encoding) + "\n")
        self._stream.flush()

    def show(self, lines: Sequence[Text]) -> None:
        """Draw a picture in place of the last one; nothing where there is no terminal."""
        if self._console is None:
            return
        encoding = self._console.encoding
        if encoding.lower() != "utf-8":
            lines = [Text(_encodable(line.plain, encoding)) for line in lines]
        text = Text("\n").join(lines)
        text.no_wrap = True
        if self._live is None:
            # What goes into a file stays there; what goes to the terminal comes above the picture.
            self._live = Live(
                text,
                console=self._console,
                auto_refresh=False,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()
        self._live.update(text, refresh=True)

    def end(self) -> None:
        """Take the picture away."""
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()


def _encodable(text: str, encoding: str) -> str:
    plain = {"━": "#", "─": "-", "·": "-", "…": "..."}
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for character, other in plain.items():
            text = text.replace(character, other)
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text
