"""Snakemake's plugin: when it speaks, and that its errors break no run."""

import io
import logging

import pytest
from snakemake_events import finished, job_error, job_info, output_settings, record
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

from netdyn.watch import following
from netdyn.watch.following import Follower
from snakemake_logger_plugin_netdyn import LogHandler, LogHandlerSettings


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "PICTURE_SECONDS", 1e6)


def handler(full: bool = False, **changed) -> LogHandler:
    return LogHandler(output_settings(**changed), LogHandlerSettings(full=full))


def test_snakemake_finds_it_by_its_name():
    plugin = LoggerPluginRegistry().get_plugin("netdyn")
    assert plugin.log_handler is LogHandler
    assert plugin.settings_cls is LogHandlerSettings


def test_it_stands_in_for_snakemakes_messages_unless_all_of_them_are_to_be_seen(capsys):
    assert handler().writes_to_stream
    for full in ({"verbose": True}, {"printshellcmds": True}, {"debug_dag": True}, {"full": True}):
        silent = handler(**full)
        assert not silent.writes_to_stream
        silent.handle(job_info(1, "draw_figure", "draw fig1"))
        silent.handle(job_error(1, "draw_figure", []))
        silent.close()
    assert capsys.readouterr() == ("", "")


def test_a_dry_run_speaks_on_standard_output(capsys):
    dry = handler(dryrun=True, stdout=True)
    dry.handle(job_info(1, "draw_figure", "draw fig1"))
    dry.close()
    said_text = capsys.readouterr()
    assert said_text.out.startswith("1 job would run, in about ")
    assert said_text.err == ""


@pytest.mark.parametrize("method", ["handle", "close", "expect"])
def test_an_error_of_its_own_ends_in_snakemakes_messages(method, monkeypatch, capsys):
    def fail(*_, **__):
        raise ValueError("a bug")

    monkeypatch.setattr(Follower, method, fail)
    broken = handler()
    broken.expect(cores=2)
    info = job_info(1, "draw_figure", "draw fig1")
    info.local = info.is_checkpoint = False
    for one in (info, finished(1), record(LogEvent.PROGRESS, None, done=1, total=2)):
        broken.handle(one)
    broken.close()
    said_text = capsys.readouterr().err
    assert said_text.count("warning: no progress is shown: ValueError('a bug')") == 1
    assert ("1 of 2 steps (50%) done" in said_text) == (method != "close")


def test_without_netdyn_snakemake_speaks_for_itself(monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "netdyn.watch.following", None)
    alone = handler()
    assert not alone.writes_to_stream
    alone.handle(record(None, "text", logging.WARNING))
    alone.expect(cores=2)
    alone.close()
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "Input/output error")])
def test_a_reader_that_is_gone_ends_nothing(error, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise error

    monkeypatch.setattr("sys.stderr", Gone())
    gone = handler()
    gone.handle(job_info(1, "draw_figure", "draw fig1"))
    gone.handle(record(None, "text", logging.WARNING))
    gone.handle(finished(1))
    gone.close()


def test_every_kind_of_event_is_taken():
    taker = handler()
    kinds = {
        LogEvent.GROUP_INFO: {"group_id": 0, "jobs": []},
        LogEvent.GROUP_ERROR: {"groupid": 0, "aux_logs": [], "job_error_info": {}},
        LogEvent.JOB_STARTED: {"jobs": [1]},
        LogEvent.SHELLCMD: {"shellcmd": "true"},
        LogEvent.DEBUG_DAG: {"status": "candidate", "job": None},
        LogEvent.RULEGRAPH: {"rulegraph": {}},
        LogEvent.WORKFLOW_STARTED: {"workflow_id": 1},
        LogEvent.RESOURCES_INFO: {"nodes": 4},
        LogEvent.JOB_FINISHED: {"job_id": 99},
    }
    for event, extra in kinds.items():
        taker.emit(record(event, "text", **extra))
    assert taker._follower is not None
    assert (taker._follower.state.local, taker._follower.state.cores) == (False, 4.0)
