"""What two processes make is made by one after the other; dead ones are not waited for."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading
import types

import pytest

from netdyn.runtime import locks
from netdyn.runtime.locks import alone

PROGRAM = """
import sys, time
from pathlib import Path
from netdyn.runtime.locks import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of `tmp_path / "table.csv"`; one line ends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "table.csv")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("end", ["release", "kill"])
def test_a_second_process_waits_until_the_first_has_ended(tmp_path, holder, end, caplog):
    entered = threading.Event()

    def enter():
        with alone(tmp_path / "table.csv"):
            entered.set()

    waiting = threading.Thread(target=enter, daemon=True)
    waiting.start()
    assert not entered.wait(0.3)
    assert "another process is still making" in caplog.text
    if end == "kill":
        holder.send_signal(signal.SIGKILL)
    else:
        holder.communicate("\n")
    assert entered.wait(30)


def test_another_result_is_not_waited_for(tmp_path, holder):
    with alone(tmp_path / "other.csv"):
        pass


def test_a_silent_wait_says_nothing(tmp_path, holder, caplog):
    entered = threading.Event()

    def enter():
        with alone(tmp_path / "table.csv", silent=True):
            entered.set()

    threading.Thread(target=enter, daemon=True).start()
    assert not entered.wait(0.2)
    holder.communicate("\n")
    assert entered.wait(30)
    assert caplog.text == ""


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS])
def test_another_fault_of_a_lock_names_its_file(tmp_path, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", fail)
    expected = pytest.raises(OSError, match=re.escape(os.strerror(number)))
    with expected as raised, alone(tmp_path / "table.csv"):
        pass
    assert raised.value.filename == str(tmp_path / ".table.csv.lock")


class Msvcrt(types.ModuleType):
    """Windows' module of locks, where another process holds one for so many tries."""

    LK_NBLCK = 2

    def __init__(self, tries):
        super().__init__("msvcrt")
        self.tries = tries

    def locking(self, _file, mode, size):
        assert (mode, size) == (self.LK_NBLCK, 1)
        self.tries -= 1
        if self.tries >= 0:
            raise PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(("tries", "waits"), [(0, False), (3, True)])
def test_without_fcntl_windows_own_locks_are_held(tmp_path, monkeypatch, caplog, tries, waits):
    monkeypatch.setattr(locks, "fcntl", None)
    monkeypatch.setattr(locks, "WAITING_SECONDS", 0.0)
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt(tries))
    with alone(tmp_path / "table.csv"):
        assert sys.modules["msvcrt"].tries == -1
    assert ("another process is still making" in caplog.text) is waits


def test_every_module_is_imported_where_there_is_no_fcntl():
    names = ["netdyn._public", "netdyn.cli", "netdyn.results.reference", "netdyn.runtime.gpus"]
    program = f"import sys; sys.modules['fcntl'] = None\nfor name in {names}: __import__(name)"
    subprocess.run([sys.executable, "-c", program], check=True)
