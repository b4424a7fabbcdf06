"""Files of resolved settings: what each command reads, and the error where it is another's file."""

from pathlib import Path
from typing import Any

from netdyn.errors import NetdynError
from netdyn.records.files import read_json

__all__ = ["read_settings"]


def read_settings(path: Path, *required: str) -> dict[str, Any]:
    """Read a file of resolved settings.

    Args:
        path: a JSON file that `netdyn resolve` or the workflow wrote.
        required: keys that the settings must have.

    Raises:
        NetdynError: the file is missing or damaged, or lacks one of the keys.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content.keys() >= set(required):
        raise NetdynError(
            f"{path} holds no settings of this command (it needs {', '.join(required)}): "
            "give a file that `netdyn resolve` or the workflow wrote for it"
        )
    return content
