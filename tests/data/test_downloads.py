"""Downloads from servers on this machine that stall, break off, or send something else."""

import hashlib
import http.server
import subprocess
import sys
import threading
import time

import pytest

from netdyn.data import downloads
from netdyn.errors import NetdynError

CONTENT = bytes(range(256)) * 800  # several pieces
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
PAGE = b"<html>please log in</html>"


def whole(answer):
    head(answer, len(CONTENT))
    answer.wfile.write(CONTENT)


def slow(answer):
    head(answer, len(CONTENT))
    for start in range(0, len(CONTENT), 20_000):
        answer.wfile.write(CONTENT[start : start + 20_000])
        time.sleep(0.03)


def page(answer):
    head(answer, None, "text/html")
    answer.wfile.write(PAGE)


def plain_page(answer):
    answer.send_response(200)  # without a type, as a portal may answer
    answer.end_headers()
    answer.wfile.write(PAGE)


def short(answer):
    head(answer, len(CONTENT))
    answer.wfile.write(CONTENT[:5000])


def flipped(answer):
    head(answer, len(CONTENT))
    answer.wfile.write(b"x" + CONTENT[1:])


def stalled(answer):
    head(answer, len(CONTENT))
    answer.wfile.write(CONTENT[:5000])
    answer.server.ending.wait(20)


def silent(answer):
    answer.server.ending.wait(20)


def dripping(answer):
    head(answer, len(CONTENT))
    while not answer.server.ending.wait(0.02):
        answer.wfile.write(b"x")


def endless(answer):
    head(answer, None)
    while not answer.server.ending.is_set():
        answer.wfile.write(CONTENT)


def absent(answer):
    answer.send_error(404, "Not Found")


def nonsense(answer):
    answer.wfile.write(b"\x00\x01 no answer\r\n\r\n")


def head(answer, size, kind="application/gzip"):
    answer.send_response(200)
    answer.send_header("Content-Type", kind)
    if size is not None:
        answer.send_header("Content-Length", str(size))
    answer.end_headers()


KINDS = (
    whole,
    slow,
    page,
    plain_page,
    short,
    flipped,
    stalled,
    silent,
    dripping,
    endless,
    absent,
    nonsense,
)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers /<kind>/<name> as the function of that name."""

    def do_GET(self):
        try:
            {kind.__name__: kind for kind in KINDS}[self.path.split("/")[1]](self)
        except OSError:
            return  # the client has gone

    def log_message(self, *_):
        return


@pytest.fixture(scope="module")
def address():
    """The address of a server that answers as the URL asks."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.ending = threading.Event()
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.ending.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(downloads, "SILENCE", 0.3)
    monkeypatch.setattr(downloads, "TRIAL", 0.2)
    monkeypatch.setattr(downloads, "LARGEST", 10 * len(CONTENT))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("kind", [whole, slow])
def test_a_file_is_fetched(address, tmp_path, kind):
    path = tmp_path / "new" / "data.gz"
    downloads.fetch([f"{address}/{kind.__name__}/data.gz"], MD5, path)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


FAULTS = [
    (page, rf"sent 26 bytes with MD5 {hashlib.md5(PAGE).hexdigest()}, a page: .*login"),
    (plain_page, "sent 26 bytes with MD5 .*, a page: "),
    (short, "broke off after 5,000 of 204,800 bytes"),
    (flipped, "sent 204,800 bytes with MD5 "),
    (stalled, "stalled after 5,000 bytes"),
    (silent, "timed out"),
    (dripping, r"is too slow: \d+ bytes in"),
    (endless, "sends more than 2,048,000 bytes"),
    (absent, "HTTP Error 404: Not Found|Not Found"),
    (nonsense, "no answer"),
]


@pytest.mark.parametrize(("kind", "reason"), FAULTS)
def test_the_reason_is_said_with_file_url_and_checksum_and_nothing_is_left(
    address, tmp_path, kind, reason
):
    url = f"{address}/{kind.__name__}/data.gz"
    with pytest.raises(NetdynError, match=reason) as caught:
        downloads.fetch([url], MD5, tmp_path / "data.gz")
    assert str(caught.value).startswith(f"data.gz, expected MD5 {MD5}: {url} ")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [page, stalled, absent])
def test_mirrors_are_tried_in_turn(address, tmp_path, kind):
    urls = [f"{address}/{name}/data.gz" for name in (kind.__name__, "whole", "endless")]
    downloads.fetch(urls, MD5, tmp_path / "data.gz")
    assert (tmp_path / "data.gz").read_bytes() == CONTENT


def test_an_address_without_a_server_is_named_with_the_others(address, tmp_path):
    urls = ["http://127.0.0.1:9/data.gz", f"{address}/page/data.gz"]
    with pytest.raises(NetdynError, match=r"127.0.0.1:9/data.gz .*refused.*; http.* a page"):
        downloads.fetch(urls, MD5, tmp_path / "data.gz")


def test_progress_is_said(address, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(downloads, "BETWEEN_LINES", 0.05)
    downloads.fetch([f"{address}/slow/data.gz"], MD5, tmp_path / "data.gz")
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == f"download {address}/slow/data.gz"
    assert lines
    assert all(line.startswith("data.gz: ") and "of 204,800 (" in line for line in lines)


def test_two_at_once_do_not_disturb_each_other(address, tmp_path):
    code = (
        "import sys; from pathlib import Path; from netdyn.data import downloads\n"
        f"downloads.fetch(['{address}/slow/data.gz'], '{MD5}', Path('data.gz'))\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) for _ in range(2)]
    # A third one in this process, which ends in an error while the others write.
    with pytest.raises(NetdynError, match="broke off"):
        downloads.fetch([f"{address}/short/data.gz"], MD5, tmp_path / "data.gz")
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "data.gz").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "data.gz"]
