"""Whether a module still has the parts that it had: submodules, and shapes of parameters."""

from torch import nn

from netdyn.errors import NetdynError

__all__ = ["Architecture"]


class Architecture:
    """The parts of a module as they are now; weights may change."""

    def __init__(self, model: nn.Module):
        self._model = model
        self._named, self._shapes = _parts(model)

    def refuse_changes(self, remedy: str) -> None:
        """Raise NetdynError, naming a part, where one was added, removed or replaced.

        Args:
            remedy: what to do, in the message.
        """
        modules, shapes = _parts(self._model)
        for what, before, now in (
            ("module", self._named, modules),
            ("parameter", self._shapes, shapes),
        ):
            names = [*before, *(name for name in now if name not in before)]
            for name in names:
                if name not in now or name not in before or now[name] != before[name]:
                    change = "was removed" if name not in now else "was added"
                    change = "is another" if name in now and name in before else change
                    raise NetdynError(
                        f"the architecture has changed: {what} {name!r} {change}; {remedy}"
                    )


def _parts(model: nn.Module) -> tuple[dict[str, nn.Module], dict[str, tuple]]:
    modules = dict(model.named_modules())
    shapes = {name: (*one.shape, one.dtype) for name, one in model.named_parameters()}
    return modules, shapes
