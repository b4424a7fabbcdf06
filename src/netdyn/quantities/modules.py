"""Which module measures a quantity: the one of its name, but where another name says it better."""

__all__ = ["module_of", "quantity_of"]

# By the quantity's name, which stands in configurations and records, and so stays.
NAMED_OTHERWISE = {"test_distance": "nearest_training_sample"}


def module_of(quantity: str) -> str:
    """Return the full name of the module that measures a quantity, whether it is there or not."""
    return f"netdyn.quantities.{NAMED_OTHERWISE.get(quantity, quantity)}"


def quantity_of(module: str) -> str:
    """Return the quantity that a module (the last part of its name) measures."""
    return {found: name for name, found in NAMED_OTHERWISE.items()}.get(module, module)
