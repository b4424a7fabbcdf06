"""Tables as they were, figures as equal files, and the results that are committed."""

import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from netdyn.errors import NetdynError
from netdyn.figures import drawing
from netdyn.records.files import digest, digest_file, read_json
from netdyn.records.import_graph import code_digests
from netdyn.records.provenance import Origin
from netdyn.records.sealed import record_path, write_record
from netdyn.results import publishing, reference, tables

# Tables -------------------------------------------------------------------------------------------


def test_every_float32_comes_back_from_a_table(tmp_path):
    random = np.random.default_rng(0)
    drawn = random.integers(0, 2**32, 5000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    edges = [0.0, -0.0, 0.1, 1 / 3, 16777217, np.finfo("f4").max, np.finfo("f4").smallest_subnormal]
    numbers = np.concatenate([drawn[np.isfinite(drawn)], np.float32(edges)])
    tables.write_table(
        tmp_path / "a.csv", pd.DataFrame({"step": range(len(numbers)), "x": numbers})
    )
    read = tables.read_table(tmp_path / "a.csv")
    assert read["x"].astype("float32").to_numpy().tobytes() == numbers.tobytes()
    assert read["step"].dtype == int


def test_words_infinities_and_missing_values_come_back(tmp_path):
    table = pd.DataFrame(
        {"of": ["average", "class"], "size": [math.inf, 0.5], "size_error": [math.nan, 0.0]}
    )
    tables.write_table(tmp_path / "new" / "a.csv", table)
    pd.testing.assert_frame_equal(tables.read_table(tmp_path / "new" / "a.csv"), table)
    # Written again what was read, it is the same file.
    tables.write_table(tmp_path / "b.csv", tables.read_table(tmp_path / "new" / "a.csv"))
    assert (tmp_path / "b.csv").read_bytes() == (tmp_path / "new" / "a.csv").read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is damaged"),
        (b"step,x\n", "has no rows"),
        (b"step,x\n1,2\n3,4,5,6\n", "is damaged"),
        (b'step,x\n1,"2\n', "is damaged"),
        (b"step,x\n1,\xff\xfe\n", "is damaged"),
        (None, "is missing"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, content, said):
    path = tmp_path / "shallow.csv"
    if content is not None:
        path.write_bytes(content)
        write_record(record_path(path), {"sha256": digest_file(path)})
    with pytest.raises(NetdynError, match=rf"table .*shallow\.csv {said}") as caught:
        tables.read_table(path)
    assert "\n" not in str(caught.value)


def test_parts_are_told_apart_by_where_they_are_from(tmp_path):
    for name in ("one", "other"):
        part = pd.DataFrame({"step": [0, 5], "accuracy": [0.25, len(name) / 10]})
        tables.write_table(tmp_path / f"{name}.csv", part)
    identity = {"run": "shallow", "activation": "tanh", "width": "8x6", "seed": 3}
    parts = [
        {"file": str(tmp_path / "one.csv"), "identity": identity},
        {"file": str(tmp_path / "other.csv"), "identity": {**identity, "seed": 4}},
    ]
    table, records = tables.tabulate(parts)
    assert [record["sha256"] for record in records] == [
        digest_file(tmp_path / f"{name}.csv") for name in ("one", "other")
    ]
    assert list(table) == ["run", "activation", "width", "seed", "step", "accuracy"]
    assert table.to_dict("list") == {
        "run": ["shallow"] * 4,
        "activation": ["tanh"] * 4,
        "width": ["8x6"] * 4,
        "seed": [3, 3, 4, 4],
        "step": [0, 5, 0, 5],
        "accuracy": [0.25, 0.3, 0.25, 0.5],
    }
    assert table.index.tolist() == [0, 1, 2, 3]


def test_a_part_without_a_run_stays_as_it_is(tmp_path):
    part = pd.DataFrame({"panel": ["a"], "x": [1.5]})
    tables.write_table(tmp_path / "toy.csv", part)
    found, _ = tables.tabulate([{"file": str(tmp_path / "toy.csv"), "identity": {}}])
    pd.testing.assert_frame_equal(found, part)


def test_a_part_that_is_missing_is_named(tmp_path):
    with pytest.raises(NetdynError, match=r"absent\.csv is missing"):
        tables.tabulate([{"file": str(tmp_path / "absent.csv"), "identity": {}}])


# Figures ------------------------------------------------------------------------------------------


@pytest.fixture
def draw(tmp_path):
    """Draw Fig. 1 from a table of toy neurons; return its files' contents."""
    from netdyn.quantities import toy_neurons

    few = {"seed": 0, "samples": 6, "neurons": 8, "steps": 2, "bins": 4, "points": 11}
    tables.write_table(tmp_path / "tables" / "toy_neurons.csv", toy_neurons.measure(few))

    def draw(name, **settings):
        settings = {"tables": ["toy_neurons"], "title": "Figure 1", "note": "toy", **settings}
        drawing.draw("fig1", tmp_path / "tables", settings, tmp_path / name)
        return [(tmp_path / name).with_suffix(ending).read_bytes() for ending in (".pdf", ".png")]

    return draw


def test_equal_tables_and_settings_are_equal_files_that_tell_what_they_are_from(draw, tmp_path):
    first = draw("first")
    assert draw("again") == first
    pdf, png = first
    assert re.match(rb"%PDF-", pdf)
    assert png.startswith(b"\x89PNG")
    assert not re.search(rb"CreationDate|date:|Software", pdf + png)
    said = {
        "tables": digest({"toy_neurons": digest_file(tmp_path / "tables" / "toy_neurons.csv")}),
        "settings": digest({"tables": ["toy_neurons"], "title": "Figure 1", "note": "toy"}),
        "code": digest(code_digests("netdyn.figures.fig1")),
    }
    for key, value in said.items():
        assert f"{key}:{value}".encode() in pdf
        assert f"{key}\x00{value}".encode() in png
    assert draw("other", note="other") != first


def test_a_table_that_is_missing_leaves_no_figure(draw, tmp_path):
    with pytest.raises(NetdynError, match=r"shallow\.csv is missing"):
        draw("first", tables=["toy_neurons", "shallow"])
    assert not [*tmp_path.glob("first*")]


# Committed results --------------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path):
    """A figure's files and its tables, which are committed already."""
    made = {
        "files": [tmp_path / "figures" / "fig2.pdf", tmp_path / "figures" / "fig2.png"],
        "tables": [tmp_path / "tables" / "a.csv", tmp_path / "tables" / "b.csv"],
    }
    for path in (*made["files"], *made["tables"]):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(path.name.encode() * 10)
    shutil.copytree(tmp_path / "tables", tmp_path / "reference" / "tables")
    return made


def publish(tmp_path, results, settings=None):
    return publishing.publish(
        "fig2",
        **results,
        reference=tmp_path / "reference",
        folder="figures",
        settings=settings or {},
    )


def test_what_is_published_is_copied_with_its_digests(results, tmp_path):
    reference = tmp_path / "reference"
    record = publish(tmp_path, results, {"small": 1})
    copies = {f"figures/{path.name}": path for path in results["files"]}
    tables = {f"tables/{path.name}": path for path in results["tables"]}
    for name, source in (copies | tables).items():
        assert (reference / name).read_bytes() == source.read_bytes()
    assert record == {
        "name": "fig2",
        "settings": {"small": 1},
        "sha256": {name: digest_file(source) for name, source in (copies | tables).items()},
    }
    assert read_json(reference / "provenance" / "fig2.json") == record
    written = {str(p.relative_to(reference)) for p in reference.rglob("*") if p.is_file()}
    assert written == {*copies, *tables, "provenance/fig2.json"}


def test_verdicts_are_published_with_the_tables_that_they_were_judged_from(tmp_path):
    verdicts, scale = tmp_path / "results/cpu/redrawn/readings.csv", tmp_path / "results/cpu"
    verdicts.parent.mkdir(parents=True)
    judged = {f"{scale}/{name}.csv": name for name in ("reference/tables/a", "readings/x/b")}
    origin = Origin("netdyn.errors").record()
    tables.write_table(verdicts, pd.DataFrame({"claim": ["C01"]}),
                {"kind": "readings", "tables": judged, "made": origin})  # fmt: skip
    record = publishing.publish("readings", [verdicts], [], scale / "reference", ".", {})
    assert record["judged_from"] == {f"{name}.csv": name for name in judged.values()}


def test_publishing_again_replaces_what_changed(results, tmp_path):
    publish(tmp_path, results)
    results["files"][1].write_text("new")
    record = publish(tmp_path, results)
    assert (tmp_path / "reference" / "figures" / "fig2.png").read_text() == "new"
    assert record["sha256"]["figures/fig2.png"] == digest_file(results["files"][1])


def test_a_file_too_large_to_be_committed_is_named_and_nothing_is_copied(results, tmp_path):
    large = results["files"][-1]
    large.write_bytes(bytes(reference.LARGEST))
    publish(tmp_path, results)
    shutil.rmtree(tmp_path / "reference" / "figures")
    large.write_bytes(bytes(reference.LARGEST + 1))
    with pytest.raises(NetdynError, match=rf"{large.name} has 1,000,001 bytes, more than .*fewer"):
        publish(tmp_path, results)
    assert not (tmp_path / "reference" / "figures").exists()


@pytest.mark.parametrize("change", ["other", "missing"])
def test_a_figure_is_not_published_beside_tables_it_was_not_made_from(results, tmp_path, change):
    committed = tmp_path / "reference" / "tables" / "b.csv"
    if change == "other":
        committed.write_text("other")
    else:
        committed.unlink()
    with pytest.raises(NetdynError, match=r"b\.csv is not the table that fig2 was made from"):
        publish(tmp_path, results)
    assert not (tmp_path / "reference" / "figures").exists()


@pytest.mark.parametrize("kind", ["files", "tables"])
def test_a_missing_file_is_named_and_nothing_is_copied(results, tmp_path, kind):
    results[kind].append(tmp_path / "absent")
    with pytest.raises((NetdynError, OSError), match="absent"):
        publish(tmp_path, results)
    assert not (tmp_path / "reference" / "figures").exists()
