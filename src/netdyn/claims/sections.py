"""The sections of the paper that claims are grouped by, in its order."""

__all__ = ["SECTIONS"]

SECTIONS = {
    "II": "Basic concepts and methods",
    "III": "Shallow networks",
    "IV.A": "RPD analysis of deep networks",
    "IV.B": "Attraction basins",
    "V.A": "Grokking in deep networks",
    "V.B": "Grokking in shallow networks",
    "SM": "Supplementary material",
}
