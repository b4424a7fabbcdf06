"""What a monitor saves is read back to the bit, and nothing else is opened."""

import errno
import math
import pickle

import pandas as pd
import pytest
import torch
from torch import nn

import netdyn
from netdyn.analysis import course_file
from netdyn.analysis.course_file import Row
from netdyn.errors import NetdynError

X, Y = torch.rand(30, 5, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3


def network(width=7):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


def monitor(width=7, **options):
    return netdyn.Monitor(network(width), X, Y, **({"share": math.inf} | options))


@pytest.fixture
def saved(tmp_path):
    one = monitor(test=(X, Y))
    one()
    one(7)
    one._add(Row(7, "weight_basin", 0, math.inf, math.nan))
    one.save(tmp_path / "course.csv")
    return one, tmp_path / "course.csv"


def test_a_course_is_read_back_and_goes_on(saved):
    one, path = saved
    other = monitor(test=(X, Y))
    other.load(path)
    pd.testing.assert_frame_equal(other.table, one.table, check_exact=True)
    assert other.grokking == one.grokking
    assert other.seconds == one.seconds
    assert other()
    assert other.table.step.max() == 8
    again = monitor(test=(X, Y))
    again.load_state_dict(one.state_dict())
    pd.testing.assert_frame_equal(again.table, one.table, check_exact=True)


def test_a_measurement_is_paid_for_before_one_goes_on(saved):
    other = monitor(test=(X, Y), share=1e-9)
    other.load(saved[1])
    assert not other()


def test_pandas_reads_the_table(saved):
    one, path = saved
    table = pd.read_csv(path, comment="#")
    pd.testing.assert_frame_equal(table, one.table, check_exact=True, check_dtype=False)


def torch_archive(path):
    torch.save({"step": 1}, path)


def old_torch_archive(path):
    torch.save({"step": 1}, path, _use_new_zipfile_serialization=False)


def plain_pickle(path):
    path.write_bytes(pickle.dumps(Unpickled()))


class Unpickled:
    """An object that says so when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("write", [torch_archive, old_torch_archive, plain_pickle])
def test_an_archive_that_pickles_is_not_opened(write, tmp_path):
    write(tmp_path / "course.pt")
    with pytest.raises(NetdynError, match=r"course\.pt is an archive that may run code") as error:
        monitor().load(tmp_path / "course.pt")
    assert "\n" not in str(error.value)


def lines(text):
    return text.splitlines(keepends=True)


DAMAGE = {
    "another file": (lambda t: "step,loss\n1,2\n", "is no course of a training"),
    "cut": (lambda t: "".join(lines(t)[:-2]), "rows are missing"),
    "cut in a line": (lambda t: t[:-9], "is damaged"),
    "a word for a number": (lambda t: t.replace("1,train", "one,train"), "is damaged"),
    "other columns": (lambda t: t.replace("step,quantity", "epoch,quantity"), "rows are missing"),
    "no JSON": (lambda t: t.replace('{"sites"', "{sites"), "is damaged"),
    "no times": (lambda t: t.replace('"spent": ', '"lost": '), "times are missing"),
}


@pytest.mark.parametrize("kind", [*DAMAGE])
def test_a_damaged_file_is_refused_whole(kind, saved):
    _, path = saved
    change, message = DAMAGE[kind]
    path.write_text(change(path.read_text()))
    other = monitor()
    with pytest.raises(NetdynError, match=message) as error:
        other.load(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert other.table.empty


def test_a_course_of_another_network_is_refused(saved):
    with pytest.raises(NetdynError, match="a network with other sites"):
        monitor(width=8).load(saved[1])
    with pytest.raises(NetdynError, match="cannot be read: No such file"):
        monitor().load(saved[1].with_name("missing.csv"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_earlier_file(number, saved, monkeypatch):
    one, path = saved
    before = path.read_bytes()
    one(9)

    def full(*_, **options):
        raise OSError(number, "No space left on device")

    monkeypatch.setattr(course_file.Path, "write_text", full)
    with pytest.raises(
        NetdynError, match=r"course\.csv cannot be written \(No space left"
    ) as error:
        one.save(path)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["course.csv"]
    monkeypatch.undo()
    one.save(path)
    other = monitor(test=(X, Y))
    other.load(path)
    assert other.table.step.max() == 9
