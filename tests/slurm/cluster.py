"""A SLURM cluster of two pretended nodes on this host, with pretended GPUs and accounting.

    python tests/slurm/cluster.py install   Debian's packages, by apt-get
    python tests/slurm/cluster.py start     until it takes jobs: a few seconds
    python tests/slurm/cluster.py stop      ends what start began, by its process ids

As root and on Debian or Ubuntu alone; no systemd needed. The daemons keep state, logs and their
process ids below FOLDER; only the configuration has to be in /etc/slurm, where jobs look for it.
"""

import os
import secrets
import shutil
import socket
import string
import subprocess
import time
from pathlib import Path

import daemons
import psutil
import typer

HERE = Path(__file__).parent
FOLDER = Path("/tmp/netdyn-slurm")
CONFIGURATION = Path("/etc/slurm")
PACKAGES = ("slurmctld", "slurmd", "slurmdbd", "slurm-client", "munge", "mariadb-server")
DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")
NODES = ("pretended1", "pretended2")
ACCOUNT = "myaccount"  # as profiles/slurm has it
WAITING_SECONDS = 30

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)


@app.command()
def install() -> None:
    """Install the packages that are missing, their services left stopped."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SystemExit("error: the SLURM cluster of the tests needs root and apt-get")
    if all(
        shutil.which(name) for name in ("slurmctld", "slurmd", "slurmdbd", "munged", "mariadbd")
    ):
        return
    # RUNLEVEL=1 keeps Debian's packages from starting what they install.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for words in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", *words], env=environment, check=True)


@app.command()
def start(accounting: bool = True) -> None:
    """Start the cluster; without accounting there is neither database nor account."""
    if daemons.living(FOLDER):
        raise SystemExit(f"error: a cluster runs already ({FOLDER}): stop it first")
    foreign = CONFIGURATION / "slurm.conf"
    if foreign.exists() and "cluster.py" not in foreign.read_text(encoding="utf-8"):
        raise SystemExit(f"error: {foreign} is of another SLURM: it is left alone")
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "state").mkdir(parents=True)
    ports = _free_ports(3 + len(NODES))
    _configure(ports, accounting)
    try:
        _start_daemons(ports, accounting)
    except BaseException:
        stop()
        raise


@app.command()
def stop() -> None:
    """Cancel all jobs and end the daemons; leave neither process nor configuration behind."""
    if "slurmctld" in daemons.living(FOLDER):
        subprocess.run(["scancel", "--quiet", "--user=root"], check=False, timeout=30)
        _wait(lambda: not _said("squeue", "--noheader"), "jobs to end", fatal=False)
    for node in NODES:
        kill_node(node)
    for name in reversed(daemons.living(FOLDER)):
        daemons.end(FOLDER, name)
    for name in ("slurm.conf", "slurmdbd.conf", "gres.conf"):
        path = CONFIGURATION / name
        if path.exists() and "cluster.py" in path.read_text(encoding="utf-8"):
            path.unlink()


def kill_node(node: str) -> None:
    """End a node as a power cut would: its daemon and all that its jobs run, at once."""
    lost = [process for process in psutil.process_iter() if _node(process) == node]
    steps = {parent for process in lost for parent in process.parents() if _is_step(parent)}
    daemons.end(FOLDER, node, seconds=0)
    for process in [*steps, *lost]:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def start_node(node: str) -> None:
    """Start a node's daemon."""
    daemons.begin(FOLDER, node, "slurmd", "-D", "-N", node)


def _start_daemons(ports: list[int], accounting: bool) -> None:
    key = FOLDER / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    files = {"key": key, "pid": "munge.pid", "log": "munge.log", "seed": "munge.seed"}
    options = [f"--{kind}-file={FOLDER / path}" for kind, path in files.items()]
    daemons.begin(
        FOLDER, "munged", "munged", "--foreground", f"--socket={FOLDER}/munge.socket", *options
    )
    _wait((FOLDER / "munge.socket").exists, "munged")
    if accounting:
        _start_accounting(ports[2])
    daemons.begin(FOLDER, "slurmctld", "slurmctld", "-D", "-c")
    for node in NODES:
        start_node(node)
    states = ("sinfo", "--noheader", "--Node", "--partition=gpu", "--format=%T")
    _wait(lambda: _said(*states).split() == ["idle"] * len(NODES), "idle nodes")


def _start_accounting(port: int) -> None:
    by_root = ["--no-defaults", "--user=root", f"--datadir={FOLDER}/database"]
    made = ["mariadb-install-db", *by_root, "--auth-root-authentication-method=normal"]
    subprocess.run([*made, "--skip-test-db"], stdout=subprocess.DEVNULL, check=True)
    setup = FOLDER / "database.sql"
    setup.write_text(
        "CREATE DATABASE slurm;\n"
        "CREATE USER slurm@127.0.0.1 IDENTIFIED BY 'slurm';\n"
        "GRANT ALL ON slurm.* TO slurm@127.0.0.1;\n",
        encoding="utf-8",
    )
    reached = [
        f"--socket={FOLDER}/database.socket",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
    ]
    daemons.begin(FOLDER, "mariadbd", "mariadbd", *by_root, *reached, f"--init-file={setup}")
    _wait(lambda: _listening(port), "mariadbd")
    daemons.begin(FOLDER, "slurmdbd", "slurmdbd", "-D")
    _wait(lambda: "netdyn" in _said("sacctmgr", "-i", "add", "cluster", "netdyn"), "slurmdbd")
    for words in (["account", ACCOUNT], ["user", "root", f"account={ACCOUNT}"]):
        subprocess.run(["sacctmgr", "-i", "-Q", "add", *words], check=True)


def _configure(ports: list[int], accounting: bool) -> None:
    storage = {
        "Type": "accounting_storage/slurmdbd",
        "Host": "localhost",
        "Port": ports[1],
        "Pass": FOLDER / "munge.socket",
        "TRES": "gres/gpu",
        "Enforce": "associations",
    }
    host = socket.gethostname().split(".")[0]
    values = {
        "host": host,
        "folder": FOLDER,
        "names": ",".join(NODES),
        "nodes": "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port}"
            for node, port in zip(NODES, ports[3:], strict=True)
        ),
        "controller_port": ports[0],
        "accounting_port": ports[1],
        "database_port": ports[2],
        "accounting": "\n".join(f"AccountingStorage{k}={v}" for k, v in storage.items())
        if accounting
        else "AccountingStorageType=accounting_storage/none",
    }
    CONFIGURATION.mkdir(exist_ok=True)
    for name in ("slurm.conf", "gres.conf", "slurmdbd.conf"):
        path = CONFIGURATION / name
        path.touch()
        path.chmod(0o600 if name == "slurmdbd.conf" else 0o644)
        template = string.Template((HERE / name).read_text(encoding="utf-8"))
        path.write_text(template.substitute(values), encoding="utf-8")


def _node(process: psutil.Process) -> str | None:
    """Return the pretended node that a process is part of a job on."""
    try:
        return process.environ().get("SLURMD_NODENAME")
    except psutil.Error:
        return None


def _is_step(process: psutil.Process) -> bool:
    return process.name().startswith("slurmstepd")


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False).stdout


def _wait(condition, what: str, fatal: bool = True) -> None:
    deadline = time.monotonic() + WAITING_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            if fatal:
                raise SystemExit(f"error: no {what} after {WAITING_SECONDS} s: see {FOLDER}")
            return
        time.sleep(0.2)


def _listening(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on; held together, so that no two are the same."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


if __name__ == "__main__":
    app()
