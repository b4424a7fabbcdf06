"""A job that asks for more time than its partition has is named before anything is submitted."""

import math

import pytest

from netdyn.errors import NetdynError
from netdyn.plan import partitions
from netdyn.plan.partitions import Request, check_times, limits_of, partition_limits


@pytest.mark.parametrize(
    ("time", "minutes"),
    [
        ("infinite", math.inf),
        ("UNLIMITED", math.inf),
        ("30:00", 30),
        ("1:30", 1.5),
        ("4:00:00", 240),
        ("2-00:00:00", 2880),
        ("1-02:03:30", 24 * 60 + 123.5),
    ],
)
def test_times_are_read_as_sinfo_writes_them(time, minutes):
    assert limits_of(f"gpu {time}") == {"gpu": minutes}


@pytest.mark.parametrize("said", ["", "gpu", "gpu n/a", "\n", "gpu soon"])
def test_a_time_that_cannot_be_read_limits_nothing(said):
    assert limits_of(said) == {}


def test_the_default_partition_is_that_of_jobs_that_name_none():
    limits = limits_of("cpu* 1:00:00\ngpu 2:00:00\n")
    assert limits == {"cpu": 60, "": 60, "gpu": 120}
    check_times([Request("tabulate", 60, "")], limits)
    with pytest.raises(NetdynError, match="tabulate asks for 61 minutes, the default partition"):
        check_times([Request("tabulate", 61, "")], limits)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            Request("train_run", 240, "gpu"),
            "train_run asks for 240 minutes, partition gpu has 120: ",
        ),
        (
            Request("measure_run", 300, "gpu", 10),
            "a group of 10 measure_run asks for 300 minutes, partition gpu has 120: ",
        ),
        (Request("train_run", 121, "gpu,short"), "for 121 minutes, partition gpu,short has 120: "),
    ],
)
def test_the_error_names_job_minutes_partition_and_limit(ask, said):
    with pytest.raises(NetdynError) as error:
        check_times([ask, Request("tabulate", 10, "cpu")], {"cpu": 60, "gpu": 120, "short": 10})
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert "tabulate" not in str(error.value)
    assert ("group-components" in str(error.value)) == (ask.members > 1)


def test_of_jobs_of_one_kind_the_longest_is_named():
    asks = [Request("train_run", minutes, "gpu") for minutes in (150, 240, 130)]
    with pytest.raises(NetdynError) as error:
        check_times([*asks, Request("measure_run", 200, "gpu")], {"gpu": 120})
    assert str(error.value).count("train_run") == 1
    assert "train_run asks for 240 minutes" in str(error.value)
    assert "measure_run asks for 200 minutes" in str(error.value)


@pytest.mark.parametrize(
    "ask",
    [
        Request("train_run", 120, "gpu"),
        Request("train_run", 9000, "long"),
        Request("train_run", 9000, "unknown"),
        Request("train_run", 300, "gpu,long"),
    ],
)
def test_what_fits_or_is_not_known_passes(ask):
    check_times([ask], {"gpu": 120, "long": math.inf})


@pytest.mark.parametrize(
    "script", ["echo 'gpu 1:00:00'; exit 1", "echo 'cannot contact the controller' >&2; exit 1"]
)
def test_without_a_cluster_that_answers_there_are_no_limits(tmp_path, monkeypatch, script):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert partition_limits() == {}
    (tmp_path / "sinfo").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "sinfo").chmod(0o755)
    assert partition_limits() == {}


def test_a_cluster_is_asked(tmp_path, monkeypatch):
    (tmp_path / "sinfo").write_text('#!/bin/sh\ntest "$*" = "-h -o %P %l" && echo "gpu* 1:00:00"\n')
    (tmp_path / "sinfo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert partitions.partition_limits() == {"gpu": 60, "": 60}
