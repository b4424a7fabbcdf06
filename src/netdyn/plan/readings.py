"""Readings: choices that the paper leaves open, each an overlay on a scale's settings.

A reading's runs and tables lie in results/<scale>/readings/<name>/. Those that are the same as the
scale's own, or as those of a reading that it crosses, are theirs: nothing is trained or measured
twice.
"""

import difflib
import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netdyn.claims.options import OPTIONS
from netdyn.claims.rows import PAPERS_DATA
from netdyn.errors import NetdynError
from netdyn.plan import settings
from netdyn.plan.targets import Plan
from netdyn.plan.written import RESULTS, once
from netdyn.records.figure_settings import ReadingTexts

__all__ = ["Reading", "ReadingPlan", "declared_readings", "plan_of", "scale_of"]

_BETWEEN = "/readings/"


class Reading(NamedTuple):
    """A choice that the paper's words leave open, and the claims that it concerns."""

    name: str
    question: str  # what is left open: "return of noisy samples"
    choice: str  # "range"
    words: str  # the paper's, quoted
    section: str  # where they stand
    added: str  # date
    reason: str
    claims: tuple[str, ...]
    crosses: tuple[str, ...] = ()  # readings that hold together under this one
    settings: Mapping[str, Any] = {}  # laid over the scale's data set, runs and measurements
    options: Mapping[str, str] = {}  # of judging
    mode: str = "evaluation"  # "training": judged with the batch's own statistics

    def described(self) -> ReadingTexts:
        """Return what pages and figures say of the reading."""
        return ReadingTexts(**{name: getattr(self, name) for name in ReadingTexts.__annotations__})


def scale_of(scale: str, reading: str) -> str:
    """Return the name by which rules and commands call a scale under a reading."""
    return f"{scale}{_BETWEEN}{reading}"


def plan_of(
    workflow: Path,
    overrides: Mapping,
    scale: str,
    settings_folder: Path | None = None,
    results: Path = RESULTS,
) -> Plan:
    """Return the plan of a scale, "cpu", or of one of its readings, "cpu/readings/coupled".

    Raises:
        NetdynError: for settings that cannot be run, or an unknown reading.
    """
    name, between, reading = scale.partition(_BETWEEN)
    if not between:
        return Plan(workflow, overrides, name, settings_folder, results)
    return ReadingPlan(Plan(workflow, overrides, name, None, results), reading, settings_folder)


def declared_readings(plan: Plan) -> dict[str, Reading]:
    """Return a scale's readings by name.

    A reading of another data set lies over the paper's: where the scale or the command line takes a
    data set of its own, there is none.

    Raises:
        NetdynError: a reading crosses one that is not declared, or has settings of its own beside
            those of the readings that it crosses.
    """
    readings = {}
    for name, declared in plan.config["readings"].items():
        listed = {key: tuple(declared.get(key, ())) for key in ("claims", "crosses")}
        reading = Reading(name=name, **{**declared, **listed})
        if "dataset" not in reading.settings or _is_on_papers_data(plan):
            readings[name] = reading
    for name, reading in readings.items():
        for option, value in reading.options.items():
            _check_option(f"readings.{name}.options", option, value)
        if reading.crosses and (reading.settings or reading.options or reading.mode == "training"):
            raise NetdynError(
                f"readings.{name}: it crosses others, so settings, options and mode are theirs"
            )
        for crossed in reading.crosses:
            if crossed not in readings or readings[crossed].crosses:
                plain = [other for other, each in readings.items() if not each.crosses]
                raise NetdynError(f"readings.{name}.crosses: {_unknown(crossed, plain)}")
    return readings


def _is_on_papers_data(plan: Plan) -> bool:
    return plan.config["dataset"] == PAPERS_DATA and "dataset" not in plan.overrides


def _check_option(where: str, name: str, value: str) -> None:
    if name not in OPTIONS:
        raise NetdynError(f"{where}: {_unknown(name, list(OPTIONS), 'option')}")
    if value not in OPTIONS[name].others:
        raise NetdynError(
            f"{where}.{name}: {value!r} is none of {', '.join(OPTIONS[name].others)}"
            + ("; it is the frozen choice" if value == OPTIONS[name].frozen else "")
        )


def _unknown(name: str, known: Sequence[str], kind: str = "reading") -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"no {kind} {name!r}" + (
        f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known) or 'none'}"
    )


class ReadingPlan(Plan):
    """The files of a scale under one reading.

    Attributes:
        reading: the reading.
        options: those of judging, of the readings that it crosses where it crosses some.
        mode: the mode in which claims are judged, "evaluation" or "training".
        hosts: the plans whose runs and tables this one shares, the scale's own first.
    """

    def __init__(self, base: Plan, name: str, settings_folder: Path | None = None):
        """Lay a reading over the scale of `base`.

        Raises:
            NetdynError: there is no such reading, or its settings cannot be run.
        """
        readings = declared_readings(base)
        if name not in readings:
            raise NetdynError(f"scale {base.scale}: {_unknown(name, list(readings))}")
        self.reading = readings[name]
        parts = [readings[crossed] for crossed in self.reading.crosses] or [self.reading]
        self.options: dict[str, str] = {}
        for part in parts:
            self.options.update(part.options)
        self.mode = "training" if any(part.mode == "training" for part in parts) else "evaluation"
        config = settings.read_under(
            base.config,
            {part.name: part.settings for part in parts},
            base.workflow,
            base.overrides,
        )
        self.workflow, self.overrides, self.claims = base.workflow, base.overrides, base.claims
        self._resolve(config, scale_of(base.scale, name), settings_folder, base.results)
        crossed = (ReadingPlan(base, part.name) for part in parts if self.reading.crosses)
        self.hosts: tuple[Plan, ...] = (base, *crossed)

    @property
    def is_of_other_data(self) -> bool:
        """Whether the reading is of another data set than the scale's."""
        return self.config["dataset"] != self.hosts[0].config["dataset"]

    def write_settings(self) -> None:
        """Write the resolved settings of the runs and tables that are made under this reading."""
        for name in self.tables():
            for run in self.measurement(name).runs:
                self.run_settings_file(run.id)
            for block in self.blocks(name):
                self.block_settings_file(name, block)
            self.table_settings_file(name)
            self.upstream(name)

    def figures(self) -> list[str]:
        """Return the names of all figures: none, the multiverse is the scale's."""
        return []

    def tables(self) -> list[str]:
        """Return the tables that are made under this reading alone, each once."""
        return [name for name in self.claim_tables() if self.host(name) is None]

    def tables_by_priority(self) -> list[list[str]]:
        """Return `tables` as one group."""
        return [self.tables()] if self.tables() else []

    @functools.cached_property
    def _claim_tables(self) -> tuple[str, ...]:
        rows = self.hosts[0].claim_rows
        claims = [claim for claim in rows if claim.id in self.reading.claims]
        return tuple(dict.fromkeys(table for claim in claims for table in claim.tables))

    def changed_tables(self) -> list[str]:
        """Return the tables of its claims that are not those of the scale under the same name."""
        return [name for name in self.claim_tables() if self.host(name) != (self.hosts[0], name)]

    @once
    def host(self, name: str) -> tuple[Plan, str] | None:
        """Return the plan that has this very table, and its name there; None if there is none."""
        content = self.content(name)
        for host in self.hosts:
            same = name in host.measurements and host.content(name) == content
            if other := name if same else host.names_by_content().get(content):
                deeper = host.host(other) if isinstance(host, ReadingPlan) else None
                return deeper or (host, other)
        return None

    def table_file(self, name: str) -> str:
        """Return the file of a table, its host's where it has one."""
        host = self.host(name)
        return host[0].table_file(host[1]) if host else super().table_file(name)

    def reference_file(self, name: str) -> str:
        """Return the file of a committed table, its host's where it has one."""
        host = self.host(name)
        return host[0].reference_file(host[1]) if host else super().reference_file(name)

    def reference_tables(self, name: str) -> list[tuple[str, Path]]:
        """Return the committed tables that may hold rows of a table, and their folders.

        The tables of its hosts have the rows of the runs that this reading does not change.
        """
        tables = [(super().reference_file(name), self.folder / "reference")]
        return tables + [each for host in self.hosts for each in host.reference_tables(name)]

    @once
    def is_committed(self, name: str) -> bool:
        """Return whether a table is committed with all of its runs, those of its hosts included."""
        host = self.host(name)
        return host[0].is_committed(host[1]) if host else super().is_committed(name)

    def run_folder(self, run_id: str) -> str:
        """Return the folder of a trained run, its host's where it has one."""
        for host in self.hosts:
            if run_id in host.runs:
                return host.run_folder(run_id)
        return super().run_folder(run_id)

    def files_needed(self, names: list[str]) -> list[str]:
        """Return the files of tables, of their parts and of their runs, each once."""
        files = super().files_needed([name for name in names if self.host(name) is None])
        for name in names:
            if host := self.host(name):
                files += host[0].files_needed([host[1]])
        return list(dict.fromkeys(files))

    def check(self) -> None:
        """Raise NetdynError where this reading changes nothing that its claims are judged by."""
        if not self.changed_tables() and not self.options and self.mode == "evaluation":
            raise NetdynError(
                f"readings.{self.reading.name}: it changes no table of "
                f"{', '.join(self.reading.claims)} and has no options"
            )
        for name, value in self.reading.options.items():  # none where it crosses others
            computing = OPTIONS[name].others[value]
            if not set(computing) & set(self.reading.claims):
                raise NetdynError(
                    f"readings.{self.reading.name}.options.{name}: none of its claims computes "
                    f"{value}: it can be for {', '.join(computing)}"
                )

    def overlay_identity(self) -> str:
        """Return what this reading changes; equal for two that change the same."""
        changed = {name: self.content(name) for name in self.changed_tables()}
        return json.dumps([changed, self.options, self.mode], sort_keys=True)
