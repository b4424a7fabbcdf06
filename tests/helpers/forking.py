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

__all__ = ["Forks", "Session"]

PYTHON = sys.executable  # before a fork takes another name for it
IMPORTED = (
    *("snakemake.cli", "snakemake_executor_plugin_slurm", "jsonschema", "typer", "pandas"),
    *("torch", "safetensors.torch", "matplotlib.backends.backend_pdf", "scipy.optimize"),
    *("scipy.stats", "sklearn.decomposition", "sklearn.datasets", "snakemake.report"),
    *("docutils.core", "yte", "smart_open"),
)


class Forks:
    """The process that forks, started here; it ends with the process that started it.

    Args:
        folder: an empty one, whose path is short enough for a socket's.
    """

    def __init__(self, folder: str):
        import subprocess

        self.address = os.path.join(folder, "forks")
        self.python = python_of(folder)
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
        return self._run("snakemake", folder, arguments, environment, output, output)

    def code(self, folder: str, text: str, environment: dict, output, errors) -> int:
        """Do the same of `python -c text`, its errors into a file of their own."""
        return self._run("-c", folder, (text,), environment, output, errors)

    def _run(self, what: str, folder: str, arguments: tuple, environment: dict, *outputs) -> int:
        with open(os.devnull, encoding="utf-8") as nothing:
            files = [file.fileno() for file in (nothing, *outputs)]
            request = [what, self.python, arguments, environment, folder]
            return status_of_fork(self.address, request, files)

    def session(self, folder: str, arguments: tuple, environment: dict, output) -> "Session":
        """Begin what `snakemake` does, with its jobs in a session and process group of its own."""
        with open(os.devnull, encoding="utf-8") as nothing:
            files = [nothing.fileno(), output.fileno(), output.fileno()]
            request = ["session", self.python, arguments, environment, folder]
            return Session(asked(self.address, request, files), os.path.dirname(self.address))

    def end(self) -> None:
        self.process.communicate()


class Session:
    """A Snakemake at work as a fork, the leader of its group: what `Popen` is of a process."""

    def __init__(self, connection: socket.socket, folder: str):
        self.connection = connection
        self.pid = int(connection.recv(20))
        self.folder = session_of(folder, self.pid)
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        import subprocess

        if self.returncode is None:
            self.connection.settimeout(timeout)
            try:
                self.returncode = int(self.connection.recv(20))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("snakemake", timeout or 0) from None
            self.connection.close()
        return self.returncode

    def poll(self) -> int | None:
        import subprocess

        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def jobs(self) -> dict[int, list[str]]:
        """Return the words after `python` of each job that is at work, by the process."""
        found = {}
        for entry in os.scandir(self.folder):
            if entry.name.isdecimal():
                try:
                    with open(entry.path, encoding="utf-8") as file:
                        found[int(entry.name)] = json.load(file)
                except (FileNotFoundError, ValueError):
                    continue  # it has just ended, or begun
        return found


def session_of(folder: str, leader: int) -> str:
    return os.path.join(folder, f"session-{leader}")


def python_of(folder: str) -> str:
    """Write what takes the place of Python for jobs that a process with a socket there forks."""
    import shlex

    path = os.path.join(folder, "python")
    address = os.path.join(folder, "forks")
    with open(path, "w", encoding="utf-8") as file:
        words = (PYTHON, "-IS", __file__, "python", address, PYTHON)
        file.write(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    os.chmod(path, 0o755)
    return path


def asked(address: str, request: list, files: list[int]) -> socket.socket:
    """Ask for a fork that runs a module with these standard files; return where it is answered."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    socket.send_fds(connection, [b"\0"], files)
    connection.sendall(json.dumps(request).encode())
    connection.shutdown(socket.SHUT_WR)
    return connection


def status_of_fork(address: str, request: list, files: list[int]) -> int:
    """Have a module run by a fork with these standard files; return its exit status."""
    with asked(address, request, files) as connection:
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

        def ended(_):
            return bool(select.select([0], [], [], 0)[0])

        at_work = fork_for_each(listener, ended, watched=[0])
        for child in at_work:
            os.waitpid(child, 0)


def fork_for_each(listener: socket.socket, ended, watched: list[int], seconds=None) -> set[int]:
    """Fork for every connection until it is `ended`; return the forks that are still at work."""
    import select

    at_work: set[int] = set()
    while True:
        ready, _, _ = select.select([listener, *watched], [], [], seconds)
        at_work -= {child for child in at_work if os.waitpid(child, os.WNOHANG)[0]}
        if ended(at_work):
            return at_work
        if listener not in ready:
            continue
        connection, _ = listener.accept()
        if child := os.fork():
            at_work.add(child)
            connection.close()
        else:
            place = os.path.dirname(listener.getsockname())
            listener.close()
            answer(connection, place)


def answer(connection: socket.socket, place: str) -> None:
    """Fork what a connection asks for, and send its exit status once it has ended.

    Of a job, the words lie in a file in `place` as long as it is at work, named by its process.
    """
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile(encoding="utf-8").read())
    if child := os.fork():
        if request[0] == "netdyn":
            note = os.path.join(place, str(child))
            with open(note, "w", encoding="utf-8") as file:
                json.dump(request[2], file)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if request[0] == "netdyn":
            os.unlink(note)
        try:
            # As a shell has it where a signal ended it.
            connection.sendall(str(status if status >= 0 else 128 - status).encode())
        finally:
            os._exit(0)  # also where who asked was killed
    if request[0] == "session":
        request[0], request[1] = "snakemake", jobs_of_a_new_session(place, connection)
        connection.sendall(f"{os.getpid()}\n".encode())
    connection.close()
    for stream, file in enumerate(files):
        os.dup2(file, stream)
    os.closerange(3, max(files) + 1)
    become(*request)


def jobs_of_a_new_session(place: str, connection: socket.socket) -> str:
    """Make this process lead a session, with another that forks its jobs; return their Python.

    A signal to the group reaches Snakemake and jobs alike; when Snakemake alone is killed, jobs run
    on, and what forks them ends with the last.
    """
    import shutil
    import signal

    os.setsid()
    leader = os.getpid()
    folder = session_of(place, leader)
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier process with this number
    os.mkdir(folder)
    python = python_of(folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(folder, "forks"))
    listener.listen(64)
    if os.fork():
        listener.close()
        return python
    connection.close()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # jobs have them from `become`
    fork_for_each(listener, lambda at_work: os.getppid() != leader and not at_work, [], 0.5)
    os._exit(0)


def become(module: str, python: str, arguments: list, environment: dict, folder: str) -> None:
    """Go on as `python -m module …`, or `python -c text`, started in `folder`, and end."""
    import atexit
    import runpy
    import signal
    import threading
    import traceback

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:0] = [folder, *environment["PYTHONPATH"].split(os.pathsep)]
    sys.executable = python
    sys.argv = [module, *arguments]
    status: object = 0
    try:
        if module == "-c":
            exec(arguments[0], {"__name__": "__main__"})
        else:
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
