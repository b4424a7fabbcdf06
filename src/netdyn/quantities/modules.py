"""The module that measures a quantity: the one of its name, except where `NAMED_OTHERWISE`."""

__all__ = ["module_of", "quantity_of"]

# By the quantity's name, which is fixed by configurations and records.
NAMED_OTHERWISE = {"test_distance": "nearest_training_sample"}


def module_of(quantity: str) -> str:
    """Return the full name of the module that measures a quantity, whether it exists or not."""
    return f"netdyn.quantities.{NAMED_OTHERWISE.get(quantity, quantity)}"


def quantity_of(module: str) -> str:
    """Return the quantity that a module (the last part of its name) measures."""
    return {other: name for name, other in NAMED_OTHERWISE.items()}.get(module, module)
