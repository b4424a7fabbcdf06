"""The scorecard, judged from tables."""

from pathlib import Path

from netdyn.claims import readings, scorecard
from netdyn.jobs.settings_files import read_settings

__all__ = ["judge_readings", "score_claims"]


def score_claims(
    settings_file: Path, claims: Path, table_folder: Path, output: Path, page: Path
) -> None:
    """Judge every claim and write the scorecard.

    Args:
        settings_file: `scale`, `dataset` and the runs of each of the `tables`.
        claims: the claims and their thresholds, workflow/claims.yaml.
        table_folder: holds <table>.csv; a claim whose table is missing is not tested.
        output: the scorecard, CSV.
        page: the same as a page, Markdown.

    Raises:
        NetdynError: a table is damaged, or the settings are another command's.
    """
    settings = read_settings(settings_file, "scale", "dataset", "tables")
    scorecard.write(settings, claims, table_folder, output, page)


def judge_readings(settings_file: Path, claims: Path, output: Path, page: Path) -> None:
    """Judge the claims under every reading and write a row per claim, reading and criterion.

    Args:
        settings_file: `scale`, `dataset`, `readings` and the `tables` that they are judged from.
        claims: the claims and their criteria, workflow/claims.yaml.
        output: the verdicts, CSV.
        page: what they say, Markdown.

    Raises:
        NetdynError: a table is damaged, or the settings are another command's.
    """
    settings = read_settings(settings_file, "scale", "dataset", "readings", "tables")
    readings.write(settings, claims, output, page)
