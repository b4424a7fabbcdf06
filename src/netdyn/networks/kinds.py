"""What the readers of networks return: the one base class by which measures know a read network."""

__all__ = ["Holder", "ReadNetwork"]


class ReadNetwork:
    """A network that was read, layer by layer or by tracing; measures take either."""

    def refuse_changes(self) -> None:
        """Raise NetdynError if what the network runs is no longer what was read."""


class Holder:
    """An object that stands for the network that it holds, wherever a network is measured."""

    network: ReadNetwork
