"""Downloading a file: mirrors in turn, a time limit, a check before the file gets its name."""

import hashlib
import http.client
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from netdyn.errors import NetdynError
from netdyn.records.files import atomic_write
from netdyn.runtime.terminal import message

__all__ = ["fetch"]

SILENCE = 30.0  # seconds without a byte after which a server counts as stalled
# After a trial of so many seconds, a server that has sent fewer bytes a second counts as stalled.
TRIAL, SLOWEST = 60.0, 2_000.0
BETWEEN_LINES = 5.0  # seconds between two lines of progress
LARGEST = 100_000_000  # bytes; the largest file of a data set has 26 million
PIECE = 1 << 16  # bytes


class _Unfit(Exception):
    """A mirror sent something else, or nothing in time."""


def fetch(urls: Iterable[str], md5: str, path: Path) -> None:
    """Download a file from the first of `urls` that sends it.

    Args:
        urls: of the same file, tried in turn.
        md5: what the file must have, in hexadecimal.
        path: where it is stored; its folder is created. The file appears complete and checked or
            not at all, so that several processes may download it at the same time.

    Raises:
        NetdynError: no mirror sends the file; the message gives the reason for each.
        OSError: the file cannot be written.
    """
    reasons = []
    for url in urls:
        try:
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                _receive(url, md5, file)
            return
        except _Unfit as error:
            reasons.append(f"{url} {error}")
    raise NetdynError(f"{path.name}, expected MD5 {md5}: {'; '.join(reasons)}")


def _receive(url: str, md5: str, file: BinaryIO) -> None:
    """Write what `url` sends to `file`; raises _Unfit where it is not the file with this MD5."""
    digest, received, started = hashlib.md5(usedforsecurity=False), 0, time.monotonic()
    shown, name = started, url.rpartition("/")[2]
    message(f"download {url}")
    request = urllib.request.Request(url, headers={"User-Agent": "netdyn"})
    with _answer(request) as answer:
        is_page = answer.headers.get_content_type() == "text/html"
        announced = answer.headers.get("Content-Length", "")
        size = int(announced) if announced.isdigit() else None
        while piece := _piece(answer, received):
            is_page |= not received and piece.lstrip().startswith(b"<")
            file.write(piece)
            digest.update(piece)
            received += len(piece)
            now = time.monotonic()
            if received > LARGEST:
                raise _Unfit(f"sends more than {LARGEST:,} bytes")
            if now - started > TRIAL and received < SLOWEST * (now - started):
                raise _Unfit(f"is too slow: {received:,} bytes in {now - started:.0f} s")
            if now - shown > BETWEEN_LINES:
                shown = now
                share = f" of {size:,} ({received / size:.0%})" if size else ""
                message(f"{name}: {received:,}{share} bytes")
    if size is not None and received < size:
        raise _Unfit(f"broke off after {received:,} of {size:,} bytes")
    if digest.hexdigest() != md5:
        page = ", a page: does this network ask for a login?" * is_page
        raise _Unfit(f"sent {received:,} bytes with MD5 {digest.hexdigest()}{page}")


def _answer(request: urllib.request.Request) -> http.client.HTTPResponse:
    try:
        return urllib.request.urlopen(request, timeout=SILENCE)
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise _Unfit(_one_line(error)) from error


def _piece(answer: http.client.HTTPResponse, received: int) -> bytes:
    """Return the next bytes as soon as there are any; none at the end."""
    try:
        return answer.read1(PIECE)
    except TimeoutError as error:
        raise _Unfit(f"stalled after {received:,} bytes, for {SILENCE:.0f} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Unfit(f"broke off after {received:,} bytes ({_one_line(error)})") from error


def _one_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return " ".join((str(getattr(error, "reason", "") or error) or repr(error)).split())
