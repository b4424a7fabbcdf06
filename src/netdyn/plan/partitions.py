"""Whether a cluster's partitions have the time that jobs ask for.

SLURM takes a job that asks for more than its partition's limit, and lets it wait for ever
(`PENDING (PartitionTimeLimit)`). So the workflow asks `sinfo` before it submits anything.
"""

import math
import re
import subprocess
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from netdyn.errors import NetdynError

__all__ = ["SINFO", "Request", "check_times", "limits_of", "partition_limits"]

# Partition, with a * behind the default one, and its longest time.
SINFO = ("sinfo", "-h", "-o", "%P %l")
SINFO_SECONDS = 20
DEFAULT = ""  # the partition of a job that names none


class Request(NamedTuple):
    """What a job of the cluster asks for."""

    rule: str
    minutes: float
    partition: str  # several by commas: SLURM takes any of them; "" for the default one
    members: int = 1  # jobs of this rule in a group, whose times add up


def partition_limits() -> dict[str, float]:
    """Return the minutes that a job may take, by partition; none where `sinfo` says nothing."""
    try:
        output = subprocess.run(
            SINFO,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=True,
            timeout=SINFO_SECONDS,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    return limits_of(output)


def limits_of(output: str) -> dict[str, float]:
    r"""Return the minutes by partition in what `SINFO` says, math.inf where there is no limit.

    A partition without a time that can be read is left out.

    >>> limits_of("cpu* infinite\ngpu 1-12:00:00\ndebug 30:00")
    {'cpu': inf, '': inf, 'gpu': 2160.0, 'debug': 30.0}
    """
    limits: dict[str, float] = {}
    for line in output.splitlines():
        name, _, time = line.strip().partition(" ")
        minutes = _minutes(time.strip())
        if name and minutes is not None:
            limits[name.rstrip("*")] = minutes
            if name.endswith("*"):
                limits[DEFAULT] = minutes
    return limits


def _minutes(time: str) -> float | None:
    """Return the minutes of a SLURM time, [days-]hours:minutes:seconds or minutes:seconds."""
    if time.lower() in ("infinite", "unlimited"):
        return math.inf
    parts = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", time)
    if parts is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return (days * 24 + hours) * 60 + minutes + seconds / 60


def check_times(requests: Iterable[Request], limits: Mapping[str, float]) -> None:
    """Compare what jobs ask for with what their partitions allow.

    Args:
        requests: what each job, or group of jobs, asks for.
        limits: minutes by partition; one that is not in there is not checked.

    Raises:
        NetdynError: jobs ask for more than their partition allows. It names each kind once, the
            one that asks for most.
    """
    worst: dict[tuple[str, str], Request] = {}
    for request in requests:
        if request.minutes > _limit(request.partition, limits):
            key = request.rule, request.partition
            worst[key] = max(worst.get(key, request), request, key=lambda one: one.minutes)
    if worst:
        kinds = "; ".join(_described(request, limits) for request in worst.values())
        fewer = any(request.members > 1 for request in worst.values())
        raise NetdynError(
            f"{kinds}: SLURM would let such jobs wait for ever; lower runtime under set-resources "
            + ("or the number under group-components " if fewer else "")
            + "in the profile, or name a partition with more time (sinfo -o '%P %l')"
        )


def _limit(partition: str, limits: Mapping[str, float]) -> float:
    return max(limits.get(name.strip(), math.inf) for name in partition.split(","))


def _described(request: Request, limits: Mapping[str, float]) -> str:
    name, limit = request.partition, _limit(request.partition, limits)
    partition = "the default partition" if name == DEFAULT else f"partition {name}"
    job = f"a group of {request.members} {request.rule}" if request.members > 1 else request.rule
    return f"{job} asks for {request.minutes:g} minutes, {partition} has {limit:g}"
