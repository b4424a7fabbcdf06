"""Log records as Snakemake 9 makes them, for the logger plugin."""

import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from netdyn.watch.following import ExpectedJob

__all__ = ["expected_job", "finished", "job_error", "job_info", "output_settings", "record"]


def record(
    event: LogEvent | None, text: str | None = None, level: int = logging.INFO, **extra: Any
) -> logging.LogRecord:
    made = logging.LogRecord("snakemake.logging", level, "x.py", 1, text, (), None)
    for key, value in ({} if event is None else {"event": event} | extra).items():
        setattr(made, key, value)
    return made


def job_info(number: int, rule: str, message: str | None, log: Path | str = "", **wildcards: str):
    return record(
        LogEvent.JOB_INFO,
        f" Rule: {rule}, Jobid: {number}",
        jobid=number,
        rule_name=rule,
        rule_msg=message,
        wildcards=wildcards,
        input=[],
        output=[f"results/{rule}-{number}"],
        log=[str(log)] if log else [],
        benchmark=None,
        threads=1,
        reason="Missing output files",
        resources={},
        shellcmd="true",
    )


def job_error(number: int, rule: str, logs: Sequence[Path | str]) -> logging.LogRecord:
    return record(
        LogEvent.JOB_ERROR,
        f"Error in rule {rule}, jobid: {number}",
        logging.ERROR,
        jobid=number,
        rule_name=rule,
        rule_msg=None,
        log=[str(log) for log in logs],
        input=[],
        output=[],
        aux={},
        conda_env=None,
        shellcmd="false",
    )


def finished(number: int) -> logging.LogRecord:
    return record(LogEvent.JOB_FINISHED, f"Finished jobid: {number}", job_id=number)


def expected_job(number: int, rule: str, output: str = "out", **wildcards: str) -> ExpectedJob:
    return {
        "number": number,
        "rule": rule,
        "wildcards": wildcards,
        "benchmark": None,
        "threads": 1,
        "output": output,
    }


def output_settings(**changed: Any) -> SimpleNamespace:
    """Return what Snakemake tells its loggers of the command line."""
    settings = {
        **{"printshellcmds": False, "nocolor": False, "quiet": None, "debug_dag": False},
        **{"verbose": False, "show_failed_logs": True, "stdout": False, "dryrun": False},
    }
    return SimpleNamespace(**settings | changed)
