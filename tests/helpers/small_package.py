"""A small package in place of netdyn, to see what its files' digests depend on."""

from netdyn.records import import_graph


def forget():
    """Forget what this process has read of the package, as the next process has."""
    for function in (import_graph._source, import_graph._imports):
        function.cache_clear()
