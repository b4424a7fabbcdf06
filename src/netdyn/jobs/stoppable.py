"""A run whose measurement can be stopped between two networks."""

from collections.abc import Callable, Iterator

from netdyn.networks.reading import Network
from netdyn.quantities.subject import Subject

__all__ = ["StoppableSubject", "Stopped"]


class Stopped(Exception):
    """A measurement was stopped before its last network; nothing of it was written."""


class StoppableSubject(Subject):
    """A run whose measurement stops between two networks where `stopping` is true."""

    stopping: Callable[[], bool]

    def each_network(self, selector: int | str | list) -> Iterator[tuple[int, Network]]:
        """Yield step and network, as `Subject` does; raises Stopped."""
        for step, network in super().each_network(selector):
            if self.stopping():
                raise Stopped
            yield step, network
