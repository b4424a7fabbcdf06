"""The scorecard, judged from tables."""

from pathlib import Path

from netdyn.claims import scorecard
from netdyn.jobs.settings_files import read_settings

__all__ = ["score_claims"]


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
