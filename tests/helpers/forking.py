"""Snakemake and `python -m netdyn` as forks of a process that has imported what they import.

Tests of the workflow start each some hundred times; importing Snakemake is half of a dry run, and
importing PyTorch nearly all of a tiny job. The process that forks never imports netdyn: a fork
does, from the path that it is given, as a new process would.

    python forking.py serve SOCKET                 the process that forks, until its input ends
    python forking.py python SOCKET -P -m netdyn …  a job, in place of Python itself
"""

import json
import os
import socket
import sys

__all__ = ["Forks"]

IMPORTED = (
    *("snakemake.cli", "snakemake_executor_plugin_slurm", "jsonschema", "typer", "pandas"),
    *("torch", "safetensors.torch", "matplotlib.backends.backend_pdf", "scipy.optimize"),
)


class Forks:
    """The process that forks, started here; it ends with the process that started it.

    Args:
        folder: an empty one, whose path is short enough for a socket's.
    """

    def __init__(self, folder: str):
        import shlex
        import subprocess

        self.address = os.path.join(folder, "forks")
        self.python = os.path.join(folder, "python")
        with open(self.python, "w", encoding="utf-8") as file:
            words = (sys.executable, "-IS", __file__, "python", self.address, sys.executable)
            file.write(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        os.chmod(self.python, 0o755)
        # Every folder's netdyn is compiled once, not by each of its jobs.
        left_out = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
        kept = {key: value for key, value in os.environ.items() if key not in left_out}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "serve", self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**kept, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self.process.stdout.readline() == b"ready\n"

    def snakemake(self, folder: str, arguments: tuple, environment: dict, output) -> int:
        """Run Snakemake in `folder`, output and errors into an open file; return its status."""
        with open(os.devnull, encoding="utf-8") as nothing:
            files = [nothing.fileno(), output.fileno(), output.fileno()]
            request = ["snakemake", self.python, arguments, environment, folder]
            return status_of_fork(self.address, request, files)

    def end(self) -> None:
        self.process.communicate()


def status_of_fork(address: str, request: list, files: list[int]) -> int:
    """Have a module run by a fork with these standard files; return its exit status."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"\0"], files)
        connection.sendall(json.dumps(request).encode())
        connection.shutdown(socket.SHUT_WR)
        return int(connection.makefile(encoding="utf-8").read())


def job(address: str, python: str, *arguments: str) -> None:
    """Run `python -P -m netdyn …` as a fork, anything else by Python itself."""
    if arguments[:3] != ("-P", "-m", "netdyn"):
        os.execv(python, [python, *arguments])
    request = ["netdyn", python, arguments[3:], dict(os.environ), os.getcwd()]
    sys.exit(status_of_fork(address, request, [0, 1, 2]))


def serve(address: str) -> None:
    """Fork for every connection, until the standard input ends."""
    import gc
    import importlib
    import select

    for name in IMPORTED:
        importlib.import_module(name)
    assert "netdyn" not in sys.modules
    gc.freeze()  # no fork looks for garbage in what all of them share
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(1, b"ready\n")
        at_work: set[int] = set()
        while True:
            ready, _, _ = select.select([listener, 0], [], [])
            at_work -= {child for child in at_work if os.waitpid(child, os.WNOHANG)[0]}
            if 0 in ready:
                break
            connection, _ = listener.accept()
            if child := os.fork():
                at_work.add(child)
                connection.close()
            else:
                listener.close()
                answer(connection)
        for child in at_work:
            os.waitpid(child, 0)


def answer(connection: socket.socket) -> None:
    """Fork what a connection asks for, and send its exit status once it has ended."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile(encoding="utf-8").read())
    if child := os.fork():
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        # As a shell has it where a signal ended it.
        connection.sendall(str(status if status >= 0 else 128 - status).encode())
        os._exit(0)
    connection.close()
    for stream, file in enumerate(files):
        os.dup2(file, stream)
    os.closerange(3, max(files) + 1)
    become(*request)


def become(module: str, python: str, arguments: list, environment: dict, folder: str) -> None:
    """Go on as `python -m module …`, started in `folder`, and end."""
    import atexit
    import runpy
    import threading
    import traceback

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = [folder, *environment["PYTHONPATH"].split(os.pathsep)]
    sys.executable = python
    sys.argv = [module, *arguments]
    status: object = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ending:
        status = ending.code
    except BaseException:
        traceback.print_exc()
        status = 1
    if not isinstance(status, int | None):
        print(status, file=sys.stderr)
        status = 1
    # As Python ends, but for taking apart, module by module, what all forks share.
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


if __name__ == "__main__":
    sys.path.pop(0)  # this file's folder, which is on no path of what is forked
    {"serve": serve, "python": job}[sys.argv[1]](*sys.argv[2:])
