"""Where a result came from: code, versions, machine and times."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import netdyn
from netdyn.records.files import digest
from netdyn.records.import_graph import code_digests

__all__ = ["Origin", "code_digest", "now"]

_PACKAGES = ("torch", "numpy", "pandas", "safetensors", "scikit-learn", "scipy", "matplotlib")
_PACKAGES += ("nvidia-cublas", "nvidia-cublas-cu12")  # products on a GPU, by its version of CUDA


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def code_digest(module: str) -> str:
    """Return the SHA-256 of the source of `module` and of all that it imports of this package."""
    return digest(code_digests(module))


class Origin:
    """Where a result comes from: created before the inputs are read, recorded with the result.

    The digest of the code is taken at the start, because files changed later did not make the
    result.
    """

    def __init__(self, module: str):
        """Args: the module whose code makes the result."""
        self.code_sha256, self.commit = code_digest(module), _commit()
        self.started, self._since = now(), time.monotonic()

    def record(self, **more: object) -> dict:
        """Return the provenance of what was made: what a reader needs to make it again.

        Args: what else is known (device, threads, …), and `started` and the wall-clock `seconds`
            where there were earlier sittings.
        """
        return {
            "netdyn": netdyn.__version__,
            "code_sha256": self.code_sha256,
            "commit": self.commit,
            "python": platform.python_version(),
            "packages": _versions(),
            "machine": {
                "system": platform.platform(),
                "processor": _processor(),
                "cores": os.cpu_count(),
            },
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
            "started": self.started,
            "finished": now(),
            "seconds": round(time.monotonic() - self._since, 1),
            **more,
        }


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _commit(package: Path = Path(netdyn.__file__).parent) -> str | None:
    """Return the commit of the package's own checkout, with "+" when the code differs from it.

    None outside of git, and where the package is installed below the checkout of another project,
    whose commit says nothing of this code.
    """
    try:
        root = Path(_git(package, "rev-parse", "--show-toplevel"))
        project = (root / "pyproject.toml").read_text(encoding="utf-8")
        if not (root / "src" / "netdyn").samefile(package) or 'name = "netdyn"' not in project:
            return None
        head = _git(package, "rev-parse", "HEAD")
        return head + "+" if _git(package, "status", "--porcelain", "--", ".") else head
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *words: str) -> str:
    # In a hook of git these variables name another repository than the folder's.
    elsewhere = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    completed = subprocess.run(
        ["git", "-C", str(folder), *words],
        capture_output=True,
        timeout=10,
        check=True,
        env={key: value for key, value in os.environ.items() if key not in elsewhere},
    )
    return os.fsdecode(completed.stdout).strip()
