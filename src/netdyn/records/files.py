"""Files that are whole or absent: everything is written beside its place and renamed into it."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from netdyn.errors import NetdynError

__all__ = [
    "RUN_FILES",
    "atomic_write",
    "canonical_json",
    "digest",
    "digest_file",
    "is_committed",
    "read_json",
    "read_yaml",
    "repair_hint",
    "write_json",
]

# A run's files in the order they are written: while the manifest is missing the run is not whole.
RUN_FILES = ("snapshots.safetensors", "history.csv", "provenance.json", "manifest.json")
# By these, a mount says that it has no fsync; any other error says that the content is lost.
_WITHOUT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def atomic_write(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it to `path` once the block has succeeded.

    A block that fails, or a process that is killed in it, leaves `path` as it was. So does a power
    cut where it is `durable`, which costs some milliseconds a file. Mounts without modes (`chmod`)
    or without `fsync` are written to as they are.

    Raises:
        OSError: naming `path`, where its folder cannot be written to or has no space left.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{path.suffix}")
    try:
        with _named(path, temporary):
            mode = _create(temporary)
            yield temporary
            if temporary.stat().st_mode != mode:
                # Some writers put a file of mode 0600 in its place, which no group could read.
                with contextlib.suppress(OSError):
                    temporary.chmod(mode & 0o7777)
            if durable:
                _sync(temporary)
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # renamed, or what went wrong says more
            temporary.unlink()


def _create(path: Path) -> int:
    """Create an empty file with the mode that umask and folder grant; return that mode."""
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        return os.fstat(handle).st_mode
    finally:
        os.close(handle)


@contextlib.contextmanager
def _named(path: Path, temporary: Path) -> Iterator[None]:
    """Let errors in the block name `path`: a full disk names no file, a rename the temporary one.

    An error about another file keeps its name.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary), temporary):
            error.filename, error.filename2 = str(path), None
        raise


def _sync(path: Path) -> None:
    # For writing: some systems do not sync what is open for reading.
    with path.open("r+b") as stream:
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            if error.errno not in _WITHOUT_SYNC:
                raise


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value: equal for equal content, whatever the order of keys."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces, equal for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, value: Mapping, *, durable: bool = True) -> None:
    """Write a JSON file; one that already holds the same content is left alone, time stamp too.

    Not `durable` are files whose content is compared again before anything reads them.
    """
    content = (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()
    path = Path(path)
    if path.is_file() and path.read_bytes() == content:
        return
    with atomic_write(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        NetdynError: naming the file, when it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise NetdynError(f"{path} is missing: make it with the workflow first") from error
    except ValueError as error:
        raise NetdynError(f"{path} is damaged ({error}): {repair_hint(path)}") from error


def repair_hint(path: Path) -> str:
    """Return how a damaged file is mended: what is committed is not made again."""
    return "restore it from the repository" if is_committed(path) else "delete it and run again"


def is_committed(path: Path) -> bool:
    """Return whether a file lies where committed results do, results/<scale>/reference."""
    return "reference" in Path(path).parts


# The same language, ten times faster where PyYAML has its C library: every dry run reads settings.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> dict:
    """Read a YAML file of keys and values; raises NetdynError, naming it, where it is none."""
    try:
        loader = _LOADER(path.read_bytes())
        try:
            node = loader.get_single_node()
            if (twice := _repeated_key(node)) is not None:
                raise NetdynError(
                    f"{path}: the key {twice.value!r} in line {twice.start_mark.line + 1} is there "
                    "twice: remove one"
                )
            content = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except FileNotFoundError as error:
        raise NetdynError(f"{path} is missing: run from the workflow's folder") from error
    except yaml.YAMLError as error:
        raise NetdynError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise NetdynError(f"{path} must hold keys and values")
    return content


def _repeated_key(node: yaml.Node | None) -> yaml.Node | None:
    """Return the first key that a mapping has twice: YAML would take the last without a word."""
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in keys:
                    return key
                keys.add(key.value)
            if (twice := _repeated_key(value)) is not None:
                return twice
    elif isinstance(node, yaml.SequenceNode):
        return next(filter(None, map(_repeated_key, node.value)), None)
    return None
