"""Tensors as safetensors files that are whole or absent."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from netdyn.records.files import atomic_write

__all__ = ["write_tensors"]


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors and texts by their names.

    Raises:
        OSError: naming `path`, where it cannot be written, such as on a full disk.
    """
    with atomic_write(path) as temporary:
        try:
            save_file(dict(tensors), temporary, dict(metadata) if metadata else None)
        except SafetensorError as error:
            # The system's number of the error stands in the text alone.
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None:
                raise
            code = int(number[1])
            raise OSError(code, os.strerror(code), str(path)) from error
