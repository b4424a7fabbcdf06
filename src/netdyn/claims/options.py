"""What judges can compute otherwise than their frozen tests do: options, values and claims.

A reading of the paper chooses values by name (`Claim.options`); a judge looks its value up by
`chosen`. Without a reading, and with the first value, a claim is judged by its frozen test.
"""

from collections.abc import Mapping
from typing import NamedTuple

from netdyn.claims.verdicts import Claim
from netdyn.errors import NetdynError

__all__ = ["OPTIONS", "Option", "chosen", "claims_reading"]


class Option(NamedTuple):
    """A choice that the paper's words leave open.

    Attributes:
        meaning: what is chosen.
        frozen: the value by which the frozen tests judge.
        others: each further value → the claims whose judges compute it.
    """

    meaning: str
    frozen: str
    others: Mapping[str, tuple[str, ...]]

    @property
    def values(self) -> tuple[str, ...]:
        """All values, the frozen one first."""
        return self.frozen, *self.others


_REGIONS = ("C37", "C38", "C47")
_CONES = ("C34", "C35")

OPTIONS: Mapping[str, Option] = {
    "region": Option(
        "where a class's training samples lie in the plane (netdyn.claims.regions)",
        "ellipse",
        {"trimmed": _REGIONS, "centroid": _REGIONS},
    ),
    "step": Option(
        "the step at which networks are compared: that of best test accuracy, the last, or, of "
        "gradients and accuracies alike, the last kept one that all of the networks have",
        "best",
        {
            "last": ("C08", "C09", "C10", "C11", "C12", "C13", "C17", "C18", "C19", "C24", "C25"),
            "common": ("C17", "C18", "C19"),
        },
    ),
    "statistics": Option(
        "the start of batch norm's running statistics: 0 and 1, or the first batch's",
        "running",
        {"first_batch": ("C22", "C23")},
    ),
    "size": Option(
        "the axis on which the growth of a basin's size is measured",
        "linear",
        {"logarithmic": ("C28", "C29", "C43")},
    ),
    "noise_return": Option(
        "how noisy samples return to the range of pixels (netdyn.measures.basins.noise)",
        "range",
        {"affine": _CONES, "clip": _CONES},
    ),
    "flip": Option(
        "the perturbation that flips a sample: DeepFool's as published, or the least of its "
        "variants with shortened steps",
        "deepfool",
        {"least": ("C36",)},
    ),
    "compared": Option(
        "the networks that are compared: all, or those that fit their training set "
        "(netdyn.claims.fitted)",
        "all",
        {
            "fitted": (
                *("C24", "C25", "C26", "C27", "C28", "C29", "C30", "C31", "C32"),
                *("C49", "C50", "C53"),
            )
        },
    ),
}


def chosen(row: Claim, name: str) -> str:
    """Return the value of an option for a claim: the reading's, or the frozen one.

    Raises:
        NetdynError: the option has no such value, or the claim's judge does not compute it.
    """
    option = OPTIONS[name]
    value = row.options.get(name, option.frozen)
    if value not in option.values:
        raise NetdynError(
            f"option {name} of claim {row.id} is {value!r}; it must be one of "
            f"{', '.join(option.values)}"
        )
    if value != option.frozen and row.id not in option.others[value]:
        raise NetdynError(
            f"option {name} cannot be {value} for claim {row.id}; it can be for "
            f"{', '.join(option.others[value])}"
        )
    return value


def claims_reading(name: str) -> tuple[str, ...]:
    """Return the claims whose judges look an option up, in the order of their ids."""
    others = OPTIONS[name].others.values()
    return tuple(sorted({claim for claims in others for claim in claims}))
