"""Dates in the future are mended, others left as they are."""

import os
import time

from netdyn.runtime.clocks import date_back


def test_future_dates_alone_are_changed(tmp_path):
    now = time.time()
    stamps = {"past": now - 1e9, "present": now - 1, "future": now + 3600, "far": now + 1e9}
    for name, stamp in stamps.items():
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (stamp, stamp))
    (tmp_path / "link").symlink_to("gone")
    date_back([*tmp_path.iterdir(), tmp_path / "missing"])
    for name in ("past", "present"):
        assert abs((tmp_path / name).stat().st_mtime - stamps[name]) < 1e-3
    for name in ("future", "far"):
        assert now - 1 < (tmp_path / name).stat().st_mtime <= time.time()
        assert (tmp_path / name).read_text() == name
