"""What the readers of networks return: the one base class by which measures know a read network."""

from netdyn.errors import NetdynError

__all__ = ["Holder", "ReadNetwork"]


class ReadNetwork:
    """A network that was read, layer by layer or by tracing; measures take either."""

    takes_tokens = False  # whether its samples are integers

    def refuse_tokens(self, what: str) -> None:
        """Raise NetdynError, if samples are integers, for what changes them a little."""
        if self.takes_tokens:
            raise NetdynError(
                f"{what} of integer samples: no integer changes a little; embed them first, and "
                "read the module behind the embedding with the embedded samples"
            )

    def refuse_changes(self) -> None:
        """Raise NetdynError if what the network runs is no longer what was read."""


class Holder:
    """An object that stands for the network that it holds, wherever a network is measured."""

    network: ReadNetwork
