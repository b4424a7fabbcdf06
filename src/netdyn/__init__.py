"""Measurements of how neural networks learn: order-preserving and non-order-preserving modes.

Everything that is public is a name of this package (``netdyn.local_fields``, ``netdyn.MLP``, …; see
``netdyn._public``) and stays one when the modules behind it move. It is imported when it is asked
for: this file imports nothing, so that a dry run of the workflow does not pay for PyTorch, and no
result's code hangs on the list of names.
"""

import sys
from importlib import import_module as _import_module
from os.path import isfile as _isfile

__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(f"module 'netdyn' has no attribute {name!r}")
    return _import_module("netdyn._public").public(name)


def __dir__() -> list[str]:
    return [*globals(), *_import_module("netdyn._public").NAMES]


class _Moved:
    """Ends the import of a module of 0.1 with its name of today.

    It is asked before others, who would find a folder that an update has left behind.
    """

    @staticmethod
    def find_spec(name: str, path: list[str] | None = None, target: object = None) -> None:
        if path and name.startswith("netdyn."):
            there = f"{path[0]}/{name.rpartition('.')[2]}"
            if not (_isfile(f"{there}.py") or _isfile(f"{there}/__init__.py")):
                _import_module("netdyn._public").raise_if_moved(name)


sys.meta_path.insert(0, _Moved)
