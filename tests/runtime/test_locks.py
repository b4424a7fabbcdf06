"""What two processes make is made by one after the other; dead ones are not waited for."""

import signal
import subprocess
import sys
import threading

import pytest

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
