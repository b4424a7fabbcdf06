"""The words of verdicts, and of what stands behind them, in results."""

__all__ = [
    "DIVERGED",
    "FEWEST_CLAIMS",
    "FROZEN",
    "NOT_REPRODUCED",
    "NOT_TESTED",
    "PARTLY",
    "REPRODUCED",
    "STRENGTHS",
    "VERDICTS",
]

REPRODUCED = "reproduced"
PARTLY = "partly"
NOT_REPRODUCED = "not reproduced"
DIVERGED = "diverged"
NOT_TESTED = "not tested at this scale"
VERDICTS = (REPRODUCED, PARTLY, NOT_REPRODUCED, DIVERGED, NOT_TESTED)  # best first
STRENGTHS = ("strong", "fair", "weak")
FROZEN = "frozen"  # the reading, and the criterion, that were written down before the runs
FEWEST_CLAIMS = 3  # judged under a reading, for it to be a column of the multiverse
