"""Which tables each reading's claims are judged from: what the job of the multiverse reads."""

from netdyn.claims.sections import SECTIONS
from netdyn.errors import NetdynError
from netdyn.plan.readings import ReadingPlan, declared_readings
from netdyn.plan.targets import Plan
from netdyn.plan.written import once, written
from netdyn.records.figure_settings import MultiverseFigure, ShownClaim
from netdyn.records.files import digest, read_json
from netdyn.records.job_settings import (
    DeclaredReading,
    MultiverseSettings,
    MultiverseTable,
    ReadingSettings,
    TablePart,
)
from netdyn.results.publishing import JUDGED_FROM
from netdyn.results.verdicts import FROZEN

__all__ = ["MultiversePlan"]


class MultiversePlan:
    """The files of a scale's claims under every reading."""

    def __init__(self, plan: Plan):
        """Lay every reading over the scale of `plan`.

        Raises:
            NetdynError: a reading cannot be laid over this scale, changes nothing, or changes what
                another one changes.
        """
        self.plan = plan
        self.readings = [ReadingPlan(plan, name) for name in declared_readings(plan)]
        names: dict[str, str] = {}
        for each in self.readings:
            each.check()
            other = names.setdefault(each.overlay_identity(), each.reading.name)
            if other != each.reading.name:
                raise NetdynError(
                    f"readings.{each.reading.name}: it changes the same as {other!r}: remove one"
                )

    @once
    def settings_file(self, collection: str) -> str:
        """Write `settings`; return the file."""
        folder = self.plan.settings_folder / "readings"
        return written(folder, collection, self.settings(collection == "redrawn"))

    def settings(self, committed: bool) -> MultiverseSettings:
        """Return what the claims are judged from under each reading, the frozen one first.

        Args:
            committed: whether tables are the committed ones; a claim that needs what is not
                committed is not tested. Those of readings of another data set always are.

        Raises:
            NetdynError: a committed table that the published verdicts were judged from is missing.
        """
        if committed:
            self._check_published_tables()
        tables: dict[str, MultiverseTable] = {}
        claims = [claim.id for claim in self.plan.claim_rows]
        frozen = {"name": FROZEN, "claims": claims, "options": {}, "mode": "evaluation"}
        readings: list[ReadingSettings | DeclaredReading]
        readings = [{**frozen, "changed": [], "tables": _tables(self.plan, committed, tables)}]
        for each in self.readings:
            readings.append(
                {
                    **each.reading.described(),
                    "claims": each.reading.claims,
                    "options": each.options,
                    "mode": each.mode,
                    "changed": each.changed_tables(),
                    "tables": _tables(each, committed or each.is_of_other_data, tables),
                }
            )
        return {
            "scale": self.plan.scale,
            "dataset": self.plan.config["dataset"],
            "readings": readings,
            "tables": tables,
        }

    def _check_published_tables(self) -> None:
        # Without one of them a reading would lose its column, and nobody would notice.
        record = self.plan.folder / "reference" / "provenance" / "readings.json"
        published = read_json(record) if record.is_file() else {}
        for table in published.get(JUDGED_FROM, ()):
            if not (path := self.plan.folder / table).is_file():
                raise NetdynError(
                    f"{path} is missing, from which published verdicts were judged ({record}): "
                    "restore it from the repository"
                )

    @once
    def figure_settings_file(self) -> str:
        """Write `figure_settings`; return the file."""
        folder = self.plan.settings_folder / "figures"
        return written(folder, "multiverse", self.figure_settings())

    def figure_settings(self) -> MultiverseFigure:
        """Return what the drawing of the multiverse reads."""
        # In the paper's order: the claims of Sec. II have the last ids.
        sections = list(SECTIONS)
        claims = sorted(self.plan.claim_rows, key=lambda claim: sections.index(claim.section))
        shown = ShownClaim.__annotations__
        return {
            "tables": ["readings"],
            "readings": [each.reading.described() for each in self.readings],
            "claims": [{name: getattr(claim, name) for name in shown} for claim in claims],
            "sections": SECTIONS,
            "title": "Under which reading of the paper does each claim hold?",
            "note": f"scale {self.plan.scale}, {self.plan.config['dataset']}",
        }

    def table_files(self, committed: bool) -> list[str]:
        """Return the tables that the job reads, each once."""
        entries = self.settings(committed)["tables"].values()
        return list(dict.fromkeys(part["file"] for entry in entries for part in entry["parts"]))

    def files_needed(self) -> list[str]:
        """Return the tables of the readings, with their parts and runs, each once.

        Those of another data set are not among them: each is a scale of its own, made by name.
        """
        on_this_data = [each for each in self.readings if not each.is_of_other_data]
        files = [path for each in on_this_data for path in each.files_needed(each.claim_tables())]
        return list(dict.fromkeys(files))

    def kept_files(self) -> list[str]:
        """Return the records which say that the readings' own tables are committed."""
        on_this_data = [each for each in self.readings if not each.is_of_other_data]
        return [path for each in on_this_data for path in each.kept_files(each.tables())]


def _tables(plan: Plan, committed: bool, tables: dict[str, MultiverseTable]) -> dict[str, str]:
    """Return the keys in `tables`, which are added, of a plan's claim tables by their names."""
    keys = {}
    for name in plan.claim_tables():
        parts = _committed_parts(plan, name) if committed else [{"file": plan.table_file(name)}]
        runs = [
            {**run.columns(), "samples": run.settings["samples"]}
            for run in plan.measurement(name).runs
        ]
        entry: MultiverseTable = {"parts": parts, "runs": runs}
        keys[name] = digest(entry)[:10]
        tables[keys[name]] = entry
    return keys


def _committed_parts(plan: Plan, name: str) -> list[TablePart]:
    """Return the committed tables with rows of a table, and which rows; all unless named."""
    if isinstance(plan, ReadingPlan) and (host := plan.host(name)):
        return _committed_parts(*host)
    if not plan.measurement(name).runs:
        return [{"file": plan.reference_file(name)}] if plan.is_committed(name) else []
    rows = plan.committed_rows(name)
    if len(rows) == 1 and plan.is_committed(name):
        return [{"file": file} for file in rows]
    # A file with some of the rows may have others of the same name and seed, of other settings.
    return [
        {"file": file, "rows": [run.columns() for run in runs.values()]}
        for file, runs in rows.items()
    ]
