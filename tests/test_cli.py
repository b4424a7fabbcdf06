"""The command line: its commands, its one-line mistakes, and the way from settings to a table."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netdyn import __version__, cli
from netdyn.data.prepared import load
from netdyn.quantities import toy_neurons
from netdyn.records.files import read_json, write_json
from netdyn.results import runs
from netdyn.results.tables import read_table
from netdyn.runtime import terminal

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "prepare",
    "translate",
    "resolve",
    "device",
    "train",
    "measure",
    "run",
    "analyse",
    "status",
    "tabulate",
    "keep",
    "draw",
    "explore",
    "score",
    "judge",
    "page",
    "provenance",
    "index",
    "publish",
    "clean",
)
TOY = {"threads": 1, "seed": 0, "samples": 6, "neurons": 8, "steps": 2, "bins": 4, "points": 11}


@pytest.fixture
def netdyn(monkeypatch, capsys):
    """Run the command line in this process; return its exit status and what it wrote."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["netdyn", *map(str, words)])
        status = 0
        try:
            cli.main()
        except SystemExit as stopped:
            status = stopped.code or 0
        written = capsys.readouterr()
        return status, written.out, written.err

    return run


@pytest.fixture
def mistake(netdyn):
    """Run a command that cannot succeed; return the one line that says why."""

    def run(*words):
        status, out, err = netdyn(*words)
        lines = err.splitlines()
        assert (status, out) == (1, "")
        assert len([line for line in lines if line.startswith("error: ")]) == len(lines) == 1
        return lines[0]

    return run


@pytest.fixture
def settings_file(tmp_path):
    def write(value, name="settings.json"):
        write_json(tmp_path / name, value)
        return tmp_path / name

    return write


@pytest.fixture
def nowhere(tmp_path):
    """A path that cannot be written, not even by root: below a file."""
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "result"


def test_help_lists_every_command(netdyn):
    status, out, err = netdyn("--help")
    assert (status, err) == (0, "")
    assert all(re.search(rf"\b{command}\b", out) for command in COMMANDS)
    assert len(cli.app.registered_commands) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(netdyn, command):
    status, out, _ = netdyn(command, "--help")
    assert status == 0
    assert "--help" in out
    callback = next(
        c.callback for c in cli.app.registered_commands if c.callback.__name__ == command
    )
    assert " ".join(callback.__doc__.split()[:3]) in " ".join(out.split())


def test_the_version_is_the_packages(netdyn):
    assert netdyn("--version") == (0, f"netdyn {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?: see "),
        (["train"], "Missing argument 'settings': see "),
        (["prepare", "digits", "--outptu", "x"], "No such option: --outptu (Possible options: "),
        (["run", "--until", "abc"], "Invalid value for '--until': "),
        (["run", "--until"], "Option '--until' requires an argument: see "),
    ],
)
def test_a_command_line_that_cannot_be_read_is_one_line_and_status_2(netdyn, words, said):
    status, out, err = netdyn(*words)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"error: {said}")
    assert line.endswith(" --help")


def test_no_words_at_all_show_the_commands(netdyn):
    _, out, err = netdyn()
    assert "provenance" in out + err
    assert "error" not in err


def test_an_interrupt_is_status_130(netdyn, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("netdyn.data.datasets.prepare", interrupted)
    assert netdyn("prepare", "digits", "--output", tmp_path / "x") == (130, "", "")


@pytest.mark.parametrize("names", ["", ",", " "])
def test_an_empty_list_of_tables_is_one_line(mistake, tmp_path, names):
    said = mistake("run", "--workflow", ROOT, "--tables", names)
    assert f"--tables {names!r}: name tables or figures, by commas" in said


@pytest.mark.parametrize(
    ("name", "meant"), [("fgi2", "fig2"), ("shalow_gradient", "shallow_gradient")]
)
def test_a_misspelt_table_is_corrected(mistake, tmp_path, name, meant):
    words = "--workflow", ROOT, "--output", tmp_path / "out", "--tables", name
    said = mistake("resolve", *words)
    assert said.endswith(f"no table or figure {name!r} at scale demo; did you mean {meant!r}?")


def test_the_settings_of_another_figure_are_named(mistake, tmp_path, settings_file):
    given = settings_file({"tables": [], "title": "Figure 1"})
    out = "--output", tmp_path / "out"
    said = mistake("draw", "fig2", given, "--tables", tmp_path, *out)
    assert said.startswith(f"error: fig2 with the settings {given}: table 'shallow_history' ")


def test_as_a_module_it_is_the_same_command(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "netdyn", "prepare", "imagenet", "--output", tmp_path / "x"],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert re.fullmatch(
        r"error: dataset 'imagenet' is unknown; choose one of digits, .*\n", run.stderr
    )


@pytest.mark.parametrize(
    ("options", "names"),
    [((), ("random", "logging", "torch")), (("-P",), ("random", "types", "typing", "signal"))],
)
def test_modules_of_the_working_directory_are_not_run(tmp_path, options, names):
    for name in names:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    words = [sys.executable, *options, "-m", "netdyn", "--version"]
    run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == (f"netdyn {__version__}\n", "")


def test_jobs_run_no_modules_of_the_working_directory():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for called in re.findall(r"python .*-m netdyn", path.read_text(encoding="utf-8")):
            assert called == "python -P -m netdyn", path


# Mistakes -----------------------------------------------------------------------------------------


def test_an_unknown_data_set_is_one_line(mistake, tmp_path):
    said = mistake("prepare", "imagenet", "--output", tmp_path / "x")
    assert "dataset 'imagenet' is unknown; choose one of digits, mnist" in said
    assert not (tmp_path / "x").exists()


def test_missing_files_are_one_line(mistake, tmp_path, settings_file, run_settings, toy_data):
    absent, out = tmp_path / "absent", tmp_path / "out"
    folders = "--output", out, "--checkpoints", tmp_path / "checkpoints"
    given = settings_file(run_settings())
    assert f"{absent} is missing" in mistake("train", absent, "--data", toy_data, *folders)
    assert f"{absent}: no such prepared data" in mistake("train", given, "--data", absent, *folders)
    assert f"{absent}: no such" in mistake("translate", absent, "--output", out)
    assert f"{absent} is missing" in mistake("tabulate", absent, "--output", out)
    where = "--run", absent, "--data", toy_data, "--output", out
    assert f"run {absent} is not whole" in mistake("measure", "pruning", given, *where)
    drawn = settings_file({"tables": ["toy_neurons"]})
    assert "toy_neurons.csv is missing" in mistake(
        "draw", "fig1", drawn, "--tables", tmp_path, "--output", out
    )
    files = "--file", absent, "--table", absent, "--reference", tmp_path / "reference"
    assert f"{absent}: No such file" in mistake("publish", "fig1", given, "--output", out, *files)
    assert not out.exists()


def test_a_folder_without_a_configuration_is_one_line(mistake, tmp_path):
    said = mistake("resolve", "--workflow", tmp_path, "--output", tmp_path / "out")
    assert "config.yaml is missing: run from the workflow's folder" in said


def test_unwritable_outputs_are_one_line(
    mistake, netdyn, nowhere, tmp_path, settings_file, run_settings, toy_data
):
    assert str(nowhere) in mistake("prepare", "digits", "--output", nowhere)
    assert str(nowhere) in mistake("translate", toy_data, "--output", nowhere)
    below = str(nowhere.parent)
    assert below in mistake("resolve", "--workflow", ROOT, "--output", nowhere)
    assert below in mistake(
        "measure", "toy_neurons", settings_file(TOY), "--output", nowhere / "a.csv"
    )
    given = settings_file(run_settings())
    train = "train", given, "--data", toy_data, "--device", "cpu"
    kept = tmp_path / "checkpoints"
    assert below in mistake(*train, "--output", tmp_path / "run", "--checkpoints", nowhere)
    status, _, err = netdyn(*train, "--output", nowhere, "--checkpoints", kept)
    *progress, said = err.splitlines()
    assert (status, below in said, said.startswith("error: ")) == (1, True, True)
    assert all(line.startswith("result: step ") for line in progress)


@pytest.mark.parametrize(
    "quantity",
    ["entropy", "subject", "..settings", "rpd_gradient.x", "", "nearest_training_sample"],
)
def test_an_unknown_quantity_is_one_line(mistake, tmp_path, settings_file, quantity):
    said = mistake("measure", quantity, settings_file(TOY), "--output", tmp_path / "a.csv")
    assert f"no quantity {quantity!r}: choose one of adversarial, basin_size, cone, " in said
    assert "subject," not in said


def test_a_quantity_without_its_run_or_data_is_one_line(mistake, tmp_path, settings_file):
    given = settings_file({"threads": 1, "steps": "all", "samples": "all", "modes": ["evaluation"]})
    out = "--output", tmp_path / "a.csv"
    assert "--run is missing" in mistake("measure", "rpd_gradient", given, *out)
    said = mistake("measure", "rpd_gradient", given, *out, "--run", tmp_path)
    assert "--data is missing" in said
    said = mistake(
        "measure", "toy_neurons", settings_file(TOY), *out, "--run", tmp_path, "--data", tmp_path
    )
    assert "--run" in said


def test_settings_of_another_kind_are_one_line(mistake, tmp_path, settings_file, toy_data):
    other = settings_file({"some": "thing"})
    folders = "--output", tmp_path / "run", "--checkpoints", tmp_path / "checkpoints"
    assert str(other) in mistake("train", other, "--data", toy_data, *folders)
    assert str(other) in mistake("measure", "pruning", other, *folders[:2])
    assert str(other) in mistake("tabulate", other, *folders[:2])
    listed = settings_file([1, 2])
    assert str(listed) in mistake("train", listed, "--data", toy_data, *folders)


def test_an_unknown_figure_is_one_line(mistake, tmp_path, settings_file):
    given = settings_file({"tables": []})
    out = "--output", tmp_path / "out"
    said = mistake("draw", "fig99", given, "--tables", tmp_path, *out)
    assert said.endswith(
        "no figure 'fig99': choose one of fig1, fig2, fig3, fig3_training, fig4, fig5, fig6, fig7, "
        "multiverse, noise_returns, supplement"
    )
    assert "no figure 'drawing': " in mistake("draw", "drawing", given, "--tables", ".", *out)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("{", "--set '{' is not JSON"),
        ("[1]", "--set"),
        ("3", "--set"),
        ('{"widht": 3}', "settings: unknown key 'widht'"),
        ('{"runs": {"shallow": {"learning_rate": "0.5"}}}', "runs.shallow.learning_rate: '0.5'"),
        ('{"runs": {"; rm -rf x": {}}}', "runs: '; rm -rf x' is not allowed"),
        ('{"seeds": "x"}', "seeds: 'x' must be a list of whole numbers; on the command line"),
        ('{"seeds": "1"}', "seeds: '1' must be a list: write [1]; on the command line"),
    ],
)
def test_overrides_that_make_no_settings_are_one_line(mistake, tmp_path, override, said):
    words = "--workflow", ROOT, "--output", tmp_path / "out", "--set", override
    assert said in mistake("resolve", *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "fast"), "engine 'fast': choose one of auto, plain, stacked"),
        (("--until", "0"), "--until 0: give the seconds to work for, more than 0"),
        (("--until", "-3"), "--until -3: give the seconds"),
        (("--configfile", "nowhere.yaml"), "--configfile nowhere.yaml: there is no such file"),
    ],
)
def test_a_scale_that_cannot_be_made_as_asked_is_one_line(
    mistake, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    assert said in mistake("run", "--workflow", ROOT, *words)
    assert not (tmp_path / "results/demo/runs").exists()
    assert not (tmp_path / "out").exists()


def test_an_unknown_scale_is_one_line(mistake, tmp_path):
    words = "--workflow", ROOT, "--output", tmp_path / "out", "--scale", "huge"
    assert "scale: 'huge' must be one of demo, cpu, paper" in mistake("resolve", *words)


def test_a_device_is_named(netdyn, mistake):
    assert netdyn("device", "--device", "cpu") == (0, "cpu\n", "")
    assert "device 'tpu' is not available here" in mistake("device", "--device", "tpu")


def test_an_unknown_device_is_one_line(
    mistake, tmp_path, settings_file, run_settings, toy_data, monkeypatch
):
    folders = "--output", tmp_path / "run", "--checkpoints", tmp_path / "checkpoints"
    monkeypatch.setenv("NETDYN_DEVICE", "tpu")
    words = "train", settings_file(run_settings()), "--data", toy_data, *folders
    assert "device 'tpu' is not available here" in mistake(*words)


def test_a_fault_of_the_program_keeps_its_traceback(netdyn, tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("netdyn.data.datasets.prepare", broken)
    with pytest.raises(ZeroDivisionError, match="a fault"):
        netdyn("prepare", "digits", "--output", tmp_path / "x")


# The way from settings to tables ------------------------------------------------------------------


def test_resolved_settings_train_and_measure(netdyn, tmp_path, monkeypatch):
    monkeypatch.setenv("NETDYN_DEVICE", "cpu")
    small = {"steps": 4, "width": 6, "batch_size": 50}
    override = json.dumps({"runs": {"shallow": small}, "seeds": [0]})
    words = "--workflow", ROOT, "--output", tmp_path / "settings", "--set", override
    status, out, err = netdyn("resolve", *words)
    assert (status, err) == (0, "")
    assert out.startswith(f"resolved settings of scale demo are in {tmp_path / 'settings'}\n")
    found = {path.stem: path for path in (tmp_path / "settings" / "runs").iterdir()}
    name, given = next(item for item in sorted(found.items()) if "samples-100_" in item[0])
    assert read_json(given)["width"] == [6]

    digits = tmp_path / "digits.safetensors"
    assert netdyn("prepare", "digits", "--output", digits) == (0, "", "")
    run = tmp_path / "runs" / name
    folders = "--output", run, "--checkpoints", tmp_path / "checkpoints"
    status, out, err = netdyn("train", given, "--data", digits, *folders)
    assert (status, out) == (0, "")
    assert f"{name}: step 4 of 4 (100.0%)" in err
    assert runs.load_manifest(run)["last_step"] == 4

    measured = tmp_path / "settings" / "measurements" / "shallow_gradient.json"
    part = tmp_path / "part.csv"
    where = "--run", run, "--data", digits, "--output", part
    assert netdyn("measure", "rpd_gradient", measured, *where) == (0, "", "")
    assert set(read_table(part)["step"]) >= {0, 4}

    identity = {"run": "shallow", "seed": 0}
    parts = tmp_path / "parts.json"
    write_json(parts, {"parts": [{"file": str(part), "identity": identity}]})
    assert netdyn("tabulate", parts, "--output", tmp_path / "table.csv") == (0, "", "")
    table = read_table(tmp_path / "table.csv")
    assert list(table)[:2] == ["run", "seed"]
    assert len(table) == len(read_table(part))


def test_toy_neurons_are_drawn_and_published(netdyn, tmp_path, settings_file):
    table = tmp_path / "tables" / "toy_neurons.csv"
    assert netdyn("measure", "toy_neurons", settings_file(TOY), "--output", table)[0] == 0
    assert len(read_table(table)) == len(toy_neurons.measure(TOY))
    drawn = settings_file({"tables": ["toy_neurons"], "title": "Figure 1", "note": "toy neurons"})
    stem = tmp_path / "fig1"
    status, _, err = netdyn("draw", "fig1", drawn, "--tables", table.parent, "--output", stem)
    assert (status, err) == (0, "")
    files = [word for ending in ("pdf", "png") for word in ("--file", f"{stem}.{ending}")]
    reference = tmp_path / "reference"
    kept = settings_file(
        {"name": "toy_neurons", "quantity": "toy_neurons", "settings": TOY, "runs": []}
    )
    to = "--reference", reference, "--output"
    assert netdyn("keep", table, kept, *to, tmp_path / "kept.json")[0] == 0
    words = "--table", table, *to, tmp_path / "record.json"
    assert netdyn("publish", "fig1", drawn, *files, *words)[0] == 0
    assert read_json(tmp_path / "record.json") == read_json(reference / "provenance" / "fig1.json")
    assert (reference / "tables" / "toy_neurons.csv").read_bytes() == table.read_bytes()


def test_a_translated_set_is_17_times_the_set(netdyn, tmp_path, toy_data):
    assert netdyn("translate", toy_data, "--output", tmp_path / "translated") == (0, "", "")
    assert len(load(tmp_path / "translated").train_labels) == 17 * 90


# Signals and progress -----------------------------------------------------------------------------


@pytest.fixture
def not_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("not_under_nohup")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_the_work_and_the_second_ends_it(first, number):
    before = signal.getsignal(first), signal.getsignal(number)
    with terminal.received_signals() as signals:
        assert not signals.stopping()
        os.kill(os.getpid(), first)
        assert (signals.stopping(), signals.stop) == (True, first)
        with pytest.raises(SystemExit) as stopped:
            os.kill(os.getpid(), number)
        assert stopped.value.code == 128 + number
    assert (signal.getsignal(first), signal.getsignal(number)) == before


@pytest.mark.usefixtures("not_under_nohup")
def test_a_terminal_that_closes_may_say_so_twice():
    with terminal.received_signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert signals.stop == signal.SIGHUP


def test_a_hangup_that_was_ignored_at_the_start_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminal.received_signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not signals.stopping()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_checkpoint_is_requested_once_for_each_signal():
    with terminal.received_signals() as signals:
        assert not signals.checkpoint_due()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert [signals.checkpoint_due(), signals.checkpoint_due()] == [True, False]
        assert not signals.stopping()


@pytest.mark.parametrize("number", [errno.EPIPE, errno.EIO])
def test_a_reader_that_is_gone_does_not_end_the_work(monkeypatch, number):
    class Closed:
        def write(self, _text):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sys, "stderr", Closed())
    terminal.message("said to nobody")
    monkeypatch.setattr(Closed, "write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        terminal.message("another fault is one")


def test_progress_in_a_pipe_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0.0, 100.0, 101.0, 120.0, 121.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    with terminal.progress("run", 1000) as progress:
        for step in (100, 200, 300, 1000):
            progress(step, 1000, "said")
    assert capsys.readouterr().err.splitlines() == [
        "run: step 100 of 1,000 (10.0%); said",
        "run: step 300 of 1,000 (30.0%), 7.0 min left; said",
        "run: step 1,000 of 1,000 (100.0%), 0.0 min left; said",
    ]


def test_a_stopped_training_says_where_to_go_on(
    netdyn, tmp_path, settings_file, run_settings, toy_data, monkeypatch
):
    def stopped(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        *_, stopping, _checkpoint_seconds, _checkpoint_due = arguments
        assert stopping()
        return False

    monkeypatch.setattr("netdyn.training.train.train", stopped)
    folders = "--output", tmp_path / "run", "--checkpoints", tmp_path / "checkpoints"
    words = "train", settings_file(run_settings()), "--data", toy_data, *folders
    status, _, err = netdyn(*words)
    assert status == 143
    assert (
        err
        == f"run: stopped; its checkpoint is in {tmp_path / 'checkpoints'}, run again to go on\n"
    )
