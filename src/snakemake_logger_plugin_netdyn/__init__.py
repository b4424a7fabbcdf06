"""Snakemake's logger plugin `netdyn`: progress on a terminal, a line of each job elsewhere.

    snakemake --logger netdyn …          what profiles/default does
    snakemake --logger-netdyn-full …     what Snakemake says without it; so do --verbose,
                                         --printshellcmds and --debug-dag

What it shows is made in netdyn.watch. An error there ends in Snakemake's own messages, never in the
end of a run; netdyn is imported when a run begins, since Snakemake imports its plugins always.
"""

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

__all__ = ["LogHandler", "LogHandlerSettings"]


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Options of the command line, --logger-netdyn-…."""

    full: bool = field(
        default=False,
        metadata={
            "help": "Show all that Snakemake says without this logger: of each job its rule, files "
            "and reason.",
            "env_var": False,
            "required": False,
        },
    )


class LogHandler(LogHandlerBase):
    """Gives Snakemake's log records to a `netdyn.watch.following.Follower`."""

    def __post_init__(self) -> None:
        """Open the output, unless Snakemake is to speak for itself."""
        common = self.common_settings
        full = common.verbose or common.printshellcmds or common.debug_dag
        self._speaks = not (full or (self.settings is not None and self.settings.full))
        self._follower: Any = None
        self._instead: logging.Handler | None = None
        try:
            from netdyn.watch.following import Follower
            from netdyn.watch.output import Output

            stream = sys.stdout if common.stdout else sys.stderr
            output = Output(stream, not common.nocolor) if self._speaks else None
            quiet = {kind.name.lower() for kind in common.quiet or ()}
            self._follower = Follower(output, quiet, common.dryrun)
        except Exception as error:
            self._give_up(error)
            self._speaks = False  # Snakemake's own handler takes its place
            self._instead = None

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or what it changes."""
        if self._instead is not None:
            self._instead.handle(record)
        elif self._follower is not None:
            self._attempt(lambda: self._follower.handle(record), record)

    def expect(self, **what: Any) -> None:
        """Take note of what the workflow knows before its jobs run (`Follower.expect`)."""
        if self._follower is not None:
            self._attempt(lambda: self._follower.expect(**what))

    def close(self) -> None:
        """Show how the run has ended."""
        if self._follower is not None:
            self._attempt(self._follower.close)
        super().close()

    def _attempt(self, work: Callable[[], None], record: logging.LogRecord | None = None) -> None:
        try:
            work()
        except OSError:
            pass  # whoever read the stream is gone: the run goes on
        except Exception as error:
            self._give_up(error)
            if record is not None and self._instead is not None:
                self._instead.handle(record)

    def _give_up(self, error: Exception) -> None:
        follower, self._follower = self._follower, None
        try:
            if follower is not None and follower.output is not None:
                follower.output.end()
            print(f"warning: no progress is shown: {error!r}", file=sys.stderr)
            if self._speaks:
                self._instead = self._default()
        except Exception:
            self._instead = None

    def _default(self) -> logging.Handler:
        """Return what Snakemake would show its messages by."""
        from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter

        common = self.common_settings
        stream = sys.stdout if common.stdout else sys.stderr
        handler = ColorizingTextHandler(nocolor=common.nocolor, stream=stream)
        handler.setFormatter(DefaultFormatter(common.quiet, common.show_failed_logs))
        handler.addFilter(
            DefaultFilter(
                common.quiet,
                common.debug_dag,
                common.verbose,
                common.dryrun,
                common.printshellcmds,
            )
        )
        return handler

    @property
    def writes_to_stream(self) -> bool:
        """Whether it takes the place of Snakemake's own messages."""
        return self._speaks

    @property
    def writes_to_file(self) -> bool:
        """It writes no log file: Snakemake's own stays, whole."""
        return False

    @property
    def has_filter(self) -> bool:
        """It sees every record, also of what is not shown."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It has its own words."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It shows no graph."""
        return False
