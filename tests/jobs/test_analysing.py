"""`netdyn analyse`: files in, the tables of `netdyn.read` and a page out; mistakes in a line."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from any_network import Convolutions, spread_out
from pandas.testing import assert_frame_equal
from pretended_gpu import pretended_gpu
from safetensors.torch import save_file

import netdyn
from netdyn import cli
from netdyn.analysis.measuring import Analysis
from netdyn.errors import NetdynError
from netdyn.jobs import analysed_data, analysing, analysis_levels, analysis_page
from netdyn.jobs.analysed_data import Samples, fitted, load_samples
from netdyn.jobs.analysed_model import load_network
from netdyn.jobs.analysing import Request, analyse

CPU = torch.device("cpu")
TINY = analysis_levels.Level(40, 20, 4, 30, 20, 2, (0.0, 0.5, 2.0))
FACTORY = """
import torch

def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 9), torch.nn.Tanh(), torch.nn.Linear(9, 4))

def fails():
    raise RuntimeError("no such file\\nsecond line")

def number():
    return 3
"""


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A factory's module, a program, and data for each: exporting takes a second."""
    folder = tmp_path_factory.mktemp("originals")
    stream = torch.Generator().manual_seed(0)
    (folder / "ours.py").write_text(FACTORY)
    y = np.arange(60) % 4
    np.savez(folder / "flat.npz", x=torch.rand(60, 6, generator=stream).numpy(), y=y)
    images = torch.rand(60, 2, 8, 8, generator=stream)
    save_file({"x": images, "y": torch.tensor(y)}, folder / "images.safetensors")
    model = spread_out(Convolutions("max"), stream).eval()
    program = torch.export.export(
        model, (images[:4],), dynamic_shapes=({0: torch.export.Dim.AUTO},)
    )
    torch.export.save(program, folder / "model.pt2")
    return folder


@pytest.fixture
def files(originals, tmp_path, monkeypatch):
    """The working folder, with copies of the originals."""
    shutil.copytree(originals, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(analysing, "LEVELS", {"standard": TINY})
    sys.modules.pop("ours", None)
    yield tmp_path
    sys.modules.pop("ours", None)


@pytest.fixture
def without_figures(monkeypatch):
    """Leave the figures out, which take the most time; a test of their own has them."""
    monkeypatch.setattr(analysis_page, "_figure", lambda path, outcome: None)


def table(folder, name):
    return pd.read_csv(folder / "tables" / f"{name}.csv")


def test_a_program_and_its_samples_give_tables_figures_and_a_page(files, monkeypatch, capsys):
    monkeypatch.setattr(analysis_page, "DPI", 40)
    request = Request("model.pt2", "images.safetensors", files / "out", not_affine="freeze")
    assert analyse(request)
    said = capsys.readouterr().err
    assert re.search(r"^this takes about \d+ s \(by level: standard \d+ s\)$", said, re.MULTILINE)
    out = files / "out"
    names = ["gradients", "rank_probability", "pruning", "projection", "noise_accuracy", "basins"]
    assert sorted(path.stem for path in (out / "tables").glob("*.csv")) == sorted(names)
    for name in names:
        assert (out / "figures" / f"{name}.pdf").read_bytes()[:5] == b"%PDF-"
        assert (out / "figures" / f"{name}.png").read_bytes()[1:4] == b"PNG"
    record = json.loads((out / "tables/gradients.csv.json").read_text())
    assert record["made"]["data"] == "images.safetensors"
    page = (out / "index.html").read_text()
    assert "60 samples of 2×8×8 in 4 classes; 2 sites" in page
    assert "Accuracy under noise" in page
    # The numbers are those of the library, of the samples that the level takes.
    x, y = load_samples("images.safetensors", files)[:2]
    network = netdyn.read(torch.export.load("model.pt2"), x[:10], not_affine="freeze")
    samples = analysing._some(Samples(x, y, ""), TINY.samples)
    own = network.gradients(*samples, units=20, map_samples=4, seed=0)
    assert_frame_equal(table(out, "gradients"), own, rtol=1e-6)
    pruned = network.pruning(*analysing._some(Samples(x, y, ""), TINY.pruned))
    assert table(out, "pruning")["accuracy"].tolist() == pytest.approx(pruned["accuracy"].tolist())


def test_a_factory_with_weights_is_measured_as_the_module_is(files):
    module = load_network("ours:build", None, CPU)
    other = {name: one + 0.1 for name, one in module.state_dict().items()}
    save_file(other, files / "weights.safetensors")
    loaded = load_network("ours:build", files / "weights.safetensors", CPU)
    assert all(torch.equal(loaded.state_dict()[name], other[name]) for name in other)
    assert not loaded.training


def interrupted(self, *arguments, **options):
    raise KeyboardInterrupt


def test_what_was_measured_before_an_interrupt_is_kept(files, without_figures, monkeypatch, capsys):
    monkeypatch.setattr(Analysis, "pruning", interrupted)
    words = ["analyse", "ours:build", "flat.npz", "--output", "out"]
    monkeypatch.setattr(sys, "argv", ["netdyn", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
    assert (
        capsys.readouterr().err.strip().splitlines()[-1] == "stopped: out holds what was measured"
    )
    assert sorted(path.stem for path in (files / "out/tables").glob("*.csv")) == [
        "gradients",
        "rank_probability",
    ]
    assert "It was interrupted" in (files / "out/index.html").read_text()


def test_a_measure_that_the_network_does_not_allow_is_left_out(files, without_figures, monkeypatch):
    def refused(self, *arguments, **options):
        raise NetdynError("noise on weights that are computed")

    monkeypatch.setattr(Analysis, "basins", refused)
    for name in ("gradients", "rank_probability", "noise_accuracy"):
        monkeypatch.setattr(Analysis, name, refused)
    assert analyse(Request("ours:build", "flat.npz", files / "out"))
    assert not (files / "out/tables/basins.csv").exists()
    page = (files / "out/index.html").read_text()
    assert page.count("This was not measured: noise on weights that are computed.") == 4


def save(name, **arrays):
    np.savez(name, **arrays)


def write(name, content):
    Path(name).write_bytes(content)


X, Y = np.zeros((8, 6), np.float32), np.arange(8) % 4
DATA = {
    "pickle": (lambda: save("d.npz", x=np.array([{}, {}]), y=Y), "d.npz: holds Python objects"),
    "pickled labels": (
        lambda: save("d.npz", x=X, y=np.array([None] * 8)),
        "d.npz: holds Python objects",
    ),
    "no labels": (lambda: save("d.npz", x=X), r"has no array 'y' \(it holds x\)"),
    "text": (lambda: save("d.npz", x=X, y=np.array(["a"] * 8)), "no arrays of numbers"),
    "no archive": (lambda: write("d.npz", b"x,y\n1,2\n"), "damaged|pickle"),
    "truncated": (
        lambda: (save("d.npz", x=X, y=Y), write("d.npz", Path("d.npz").read_bytes()[:300])),
        "damaged or no .npz",
    ),
    "labels too large": (lambda: save("d.npz", x=X, y=Y + 1), "labels run from 1 to 4"),
    "too few labels": (lambda: save("d.npz", x=X, y=Y[:7]), "for 8 samples"),
    "one-hot": (lambda: save("d.npz", x=X, y=np.eye(4)[Y]), r"by y\.argmax\(1\)"),
    "shape": (lambda: save("d.npz", x=X[:, :5], y=Y), "5"),
    "no samples": (lambda: save("d.npz", x=X[:0], y=Y[:0]), "no samples"),
    "not a number": (lambda: save("d.npz", x=X * np.nan, y=Y), "NaN"),
    "missing": (lambda: None, "there is no such file"),
}


@pytest.mark.parametrize("name", [*DATA])
def test_data_that_do_not_fit_are_refused_in_a_line(name, files):
    make, message = DATA[name]
    make()
    with pytest.raises(NetdynError, match=message) as refused:
        analyse(Request("ours:build", "d.npz", files / "out"))
    assert "\n" not in str(refused.value)
    assert not (files / "out").exists()


def test_safetensors_that_are_none_or_lack_an_array_are_refused(files):
    write("d.safetensors", b"\x00" * 20)
    with pytest.raises(NetdynError, match="damaged or no safetensors"):
        load_samples("d.safetensors", files)
    save_file({"x": torch.zeros(2, 3)}, "d.safetensors")
    with pytest.raises(NetdynError, match="no array 'y'"):
        load_samples("d.safetensors", files)
    with pytest.raises(NetdynError, match=r"data 'imagenet': give .* one of digits, mnist"):
        load_samples("imagenet", files)


ASKED = {
    "shape of the export": ({"model": "model.pt2", "data": "flat.npz"}, r"for samples of \(2, 8"),
    "max pooling": ({"model": "model.pt2", "data": "images.safetensors"}, "by --not-affine freeze"),
    "weights of a program": ({"model": "model.pt2", "weights": "w"}, "leave the option out"),
    "a pickle": ({"model": "model.pt"}, "is a pickle, which could run any code"),
    "no file": ({"model": "none.pt2"}, "none.pt2: there is no such file"),
    "no model": ({"model": "resnet18"}, "give FILE.pt2, .* or package:factory"),
    "no package": ({"model": "nowhere:build"}, "No module named 'nowhere'"),
    "no factory": ({"model": "ours:nothing"}, "has no attribute 'nothing'"),
    "a factory that fails": ({"model": "ours:fails"}, "cannot be made: no such file$"),
    "no module": ({"model": "ours:number"}, "returns a int"),
    "pickled weights": ({"weights": "w.pt"}, "give a .safetensors file"),
    "no weights": ({"weights": "w.safetensors"}, "there is no such file"),
    "level": ({"level": "all"}, "--level 'all': choose one of standard"),
    "device": ({"device": "tpu"}, "device 'tpu' is not available"),
}


@pytest.mark.parametrize("name", [*ASKED])
def test_models_and_options_that_do_not_fit_are_refused_in_a_line(name, files):
    options, message = ASKED[name]
    options = {"model": "ours:build", "data": "flat.npz", "output": files / "out"} | options
    if "weights" in options:
        options["weights"] = files / options["weights"]
    with pytest.raises(NetdynError, match=message) as refused:
        analyse(Request(**options))
    assert "\n" not in str(refused.value)
    assert not (files / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("2.bias"), "2.bias has the shape missing, in the network"),
        (lambda s: s.update({"3.bias": torch.zeros(4)}), "3.bias .* in the network missing"),
        (lambda s: s.update({"0.bias": torch.zeros(7)}), r"0.bias has the shape \(7,\)"),
    ],
)
def test_weights_of_another_network_are_refused(change, message, files):
    state = dict(load_network("ours:build", None, CPU).state_dict())
    change(state)
    save_file(state, files / "w.safetensors")
    with pytest.raises(NetdynError, match=message):
        load_network("ours:build", files / "w.safetensors", CPU)


def test_an_output_that_exists_is_left_as_it_is(files):
    (files / "out").mkdir()
    with pytest.raises(NetdynError, match="out exists: name a new folder"):
        analyse(Request("ours:build", "flat.npz", files / "out"))
    assert [*(files / "out").iterdir()] == []


def test_pictures_of_a_known_data_set_fit_a_program_and_those_of_a_file_stay():
    grey = Samples(torch.arange(2 * 16).view(2, 1, 4, 4).byte(), torch.zeros(2), "four", True)
    resized = fitted(grey, (3, 8, 8))
    assert resized.x.shape == (2, 3, 8, 8)
    assert resized.title == "four, resized from 1×4×4 to 3×8×8"
    assert torch.equal(resized.x[:, 0], resized.x[:, 2])
    assert float(resized.x[1].mean()) == pytest.approx(float(grey.x[1].float().mean() / 255))
    assert fitted(grey, (1, None, 4)) is grey
    own = grey._replace(images=False)
    assert fitted(own, (3, 8, 8)) is own


def test_a_data_set_of_torchvision_is_read_by_its_name(monkeypatch, tmp_path):
    class Colours:
        def __init__(self, root, download, train):
            assert (root, download, train) == (str(tmp_path), True, False)

        def __iter__(self):
            yield from ((np.full((2, 3, 3), 10 * k, np.uint8), k) for k in range(3))

    holder = type("datasets", (), {"CIFAR10": Colours})
    monkeypatch.setattr(analysed_data, "torchvision_datasets", lambda: holder)
    x, y, title, images = load_samples("cifar10", tmp_path)
    assert (x.shape, y.tolist(), title, images) == (
        (3, 3, 2, 3),
        [0, 1, 2],
        "test set of cifar10",
        True,
    )
    assert int(x[2].amax()) == 20


def test_on_a_pretended_gpu_the_tables_are_the_same(files, without_figures, monkeypatch):
    assert analyse(Request("ours:build", "flat.npz", files / "cpu", device="cpu"))
    with pretended_gpu(monkeypatch) as counts:
        assert analyse(Request("ours:build", "flat.npz", files / "gpu", device="cuda"))
    assert counts.launches.total()
    assert "on cuda:0" in (files / "gpu/index.html").read_text()
    names = sorted(path.stem for path in (files / "cpu/tables").glob("*.csv"))
    assert len(names) == 6
    for name in names:
        assert_frame_equal(table(files / "gpu", name), table(files / "cpu", name), rtol=1e-4)
