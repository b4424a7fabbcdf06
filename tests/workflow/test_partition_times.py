"""Before anything is submitted to SLURM, times are compared with what its partitions allow."""

import os
import re

import pytest
from dag import TINY, copy_repository, snakemake

pytestmark = pytest.mark.workflow

PROFILE = ("--profile", "profiles/slurm", "--default-resources", "slurm_partition=cpu")


def test_a_group_that_no_partition_has_time_for_is_one_error_and_nothing_is_submitted(
    tmp_path, monkeypatch
):
    folder = copy_repository(tmp_path / "here")
    (tmp_path / "bin").mkdir()
    tools = {
        "sinfo": "echo 'cpu* infinite'; echo 'gpu 2:30:00'",
        "sbatch": f"touch '{tmp_path}/submitted'; exit 1",
    }
    for name, script in tools.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    said = snakemake(folder, "fig2", *PROFILE, *TINY)
    assert said.returncode != 0
    assert re.findall("^error: .*", said.stdout, re.MULTILINE) == [
        "error: a group of 4 train_run asks for 240 minutes, partition gpu has 150: SLURM would "
        "let such jobs wait for ever; lower runtime under set-resources or the number under "
        "group-components in the profile, or name a partition with more time (sinfo -o '%P %l')"
    ]
    assert "Traceback" not in said.stdout
    assert not (tmp_path / "submitted").exists()
