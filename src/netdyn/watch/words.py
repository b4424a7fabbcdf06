"""Jobs and durations in words."""

import re
from collections.abc import Mapping

from netdyn.records.run_settings import RunSettings

__all__ = ["duration", "job_name", "shortened"]

# The swept settings in a run's id, as in architecture_width-128_depth-2_seed-0-c4e660a8e5.
_SETTINGS = "|".join(sorted([*RunSettings.__annotations__, "seed"], key=len, reverse=True))
_SWEPT = re.compile(rf"_({_SETTINGS})-((?:e-|[^_-])+)")
_HASH = re.compile(r"-[0-9a-f]{10}\b")


def duration(seconds: float) -> str:
    """Return seconds as a person would say them: 4 s, 50 s, 2 min 10 s, 1 h 05 min, 2 d 3 h."""
    seconds = max(round(seconds), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 600:
        minutes, rest = divmod(round(seconds / 10) * 10, 60)
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes:02d} min"
    return f"{hours // 24} d {hours % 24} h"


def job_name(rule: str, message: str | None, wildcards: Mapping[str, str], scale: str) -> str:
    """Return what a job does, in words: its rule's message, ids of runs spelled out.

    Args:
        rule: its rule.
        message: the rule's message.
        wildcards: its wildcards, which stand where there is no message.
        scale: the scale that need not be named.
    """
    text = (message or "").strip().partition("\n")[0]
    if not text:
        text = " ".join([rule, *(f"{key}={value}" for key, value in wildcards.items())])
    text = text.removesuffix(f" (scale {scale})").removesuffix(" on none")
    text = _HASH.sub("", _SWEPT.sub(lambda m: f", {m[1].replace('_', ' ')} {m[2]}", text))
    return text


def shortened(text: str, width: int) -> str:
    """Return a text of at most `width` characters, with … where its middle is left out."""
    if len(text) <= width:
        return text
    if width < 3:
        return text[: max(width, 0)]
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"
