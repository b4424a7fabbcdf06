"""Programs of torch.export: the same tables as of the module, and archives that are refused."""

import json
import pickle
import zipfile

import pytest
import torch
from any_network import Convolutions, Functional, Residual, Transformer, spread_out
from pandas.testing import assert_frame_equal
from torch import nn

import netdyn
from netdyn.errors import NetdynError
from netdyn.networks.exported import load_program, module_of

BATCH = ({0: torch.export.Dim("batch", min=1, max=4096)},)
SHAPES = {
    "functional": (Functional, (6,)),
    "average pooling": (Convolutions, (2, 8, 8)),
    "max pooling": (lambda: Convolutions("max"), (2, 8, 8)),
    "residual": (Residual, (6,)),
    "transformer": (Transformer, (3, 6)),
}


def exported(model, x, batch=BATCH):
    return torch.export.export(model.eval(), (x,), dynamic_shapes=batch)


@pytest.mark.parametrize("name", [*SHAPES])
def test_a_program_has_the_tables_of_its_module(name, stream):
    build, shape = SHAPES[name]
    model = spread_out(build(), stream).eval()
    x = torch.rand(24, *shape, generator=stream)
    y = torch.arange(24) % 4
    own = netdyn.read(model, x[:4], not_affine="freeze")
    program = netdyn.read(exported(model, x[:4]), x[:4], not_affine="freeze")
    assert program.is_frozen == own.is_frozen
    assert [site.function for site in program.sites] == [site.function for site in own.sites]
    assert [site.name for site in program.sites] == [site.name for site in own.sites]
    assert sorted(program.weights) == sorted(own.weights)
    torch.testing.assert_close(program.logits(x), own.logits(x))
    for measure in ("gradients", "pruning"):
        one, other = getattr(program, measure)(x, y), getattr(own, measure)(x, y)
        assert_frame_equal(one, other, rtol=1e-6)
    noise = {"space": "weight", "trials": 2, "by_class": False}
    assert_frame_equal(program.basins(x, y, **noise), own.basins(x, y, **noise), rtol=1e-6)


def test_without_freezing_a_program_is_refused_as_its_module_is(stream):
    x = torch.rand(4, 2, 8, 8, generator=stream)
    with pytest.raises(NetdynError, match="max_pool2d is not affine"):
        netdyn.read(exported(Convolutions("max"), x), x)


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 4)

    def forward(self, x):
        return self.two(torch.relu(self.one(x)) * x)


def test_a_gate_of_a_program_is_seen(stream):
    x = torch.rand(4, 6, generator=stream)
    with pytest.raises(NetdynError, match="multiplies two functions of the samples"):
        netdyn.read(exported(Gate(), x), x)


class Normalised(nn.Module):
    """Normalisations whose arguments ATen takes in an order of its own, and adaptive pooling."""

    def __init__(self):
        super().__init__()
        self.one, self.out = nn.Conv1d(2, 4, 3), nn.Linear(12, 4)
        self.instance, self.group = nn.InstanceNorm1d(4, affine=True), nn.GroupNorm(2, 4)
        self.pool = nn.AdaptiveMaxPool1d(3)

    def forward(self, x):
        return self.out(self.pool(self.group(torch.tanh(self.instance(self.one(x))))).flatten(1))


def test_normalisations_of_a_program_are_frozen_as_those_of_its_module(stream):
    model = spread_out(Normalised(), stream).eval()
    x = torch.rand(6, 2, 9, generator=stream)
    own = netdyn.read(model, x, not_affine="freeze").linear_maps()
    program = netdyn.read(exported(model, x), x, not_affine="freeze").linear_maps()
    for one, other in zip(own, program, strict=True):
        torch.testing.assert_close(one[0], other[0])
        torch.testing.assert_close(one[1], other[1])


def test_a_program_for_one_size_of_batches_takes_others_where_it_can(stream):
    model, x = Convolutions(), torch.rand(4, 2, 8, 8, generator=stream)
    network = netdyn.read(exported(model, x, None), x)
    many = torch.rand(9, 2, 8, 8, generator=stream)
    torch.testing.assert_close(network.logits(many), model.eval()(many))


class FixedView(Functional):
    def forward(self, x):
        return super().forward(x.view(4, 6) + 0)


MISTAKES = {
    "batch": (lambda x: exported(FixedView(), x, None), lambda x: x, "for batches of 4: .*Dim"),
    "shape": (lambda x: exported(Functional(), x), lambda x: x[:, :5], r"for samples of \(6\)"),
    "dimensions": (lambda x: exported(Functional(), x), lambda x: x[:, None], r"of \(6\)"),
    "no example": (lambda x: exported(Functional(), x), lambda x: None, r"read\(program, x\)"),
    "training": (
        lambda x: torch.export.export(Functional().train(), (x,), dynamic_shapes=BATCH),
        lambda x: x,
        r"in training mode \(batch_norm\)",
    ),
    "dropout": (
        lambda x: torch.export.export(nn.Sequential(nn.Dropout(), nn.Linear(6, 4)), (x,)),
        lambda x: x,
        r"in training mode \(dropout\)",
    ),
}


@pytest.mark.parametrize("name", [*MISTAKES])
def test_programs_and_samples_that_do_not_fit_are_refused(name, stream):
    program, samples, message = MISTAKES[name]
    x = torch.rand(4, 6, generator=stream)
    with pytest.raises(NetdynError, match=message) as refused:
        netdyn.read(program(x), samples(x))
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / "model.pt2"
    torch.export.save(exported(Functional(), torch.rand(4, 6)), path)
    return path


def changed(archive, path, change):
    """Write the archive with its files, by name below its folder, as `change` leaves them."""
    with zipfile.ZipFile(archive) as source:
        files = {name: source.read(name) for name in source.namelist()}
    root = next(iter(files)).partition("/")[0]
    files = {name.partition("/")[2]: content for name, content in files.items()}
    change(files)
    with zipfile.ZipFile(path, "w") as target:
        for name, content in files.items():
            target.writestr(f"{root}/{name}", content)


class Runs:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was loaded",))


def with_code_in_samples(files):
    (name,) = (name for name in files if name.endswith(".pt"))
    files[name] = pickle.dumps(Runs())


def with_pickled_weight(files):
    name = "data/weights/model_weights_config.json"
    config = json.loads(files[name])
    one = next(iter(config["config"].values()))
    one["use_pickle"] = True
    files[name] = json.dumps(config).encode()
    files[f"data/weights/{one['path_name']}"] = pickle.dumps(Runs())


def with_an_object(files):
    name = "data/constants/model_constants_config.json"
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True}
    files[name] = json.dumps({"config": {"thing": entry}}).encode()
    files["data/constants/opaque_obj_0"] = pickle.dumps(Runs())


def with_old_weights(files):
    files["data/weights/model.pt"] = pickle.dumps(Runs())


def with_compiled_code(files):
    files["data/aotinductor/model/code.so"] = b"\x7fELF"


def without_program(files):
    del files["models/model.json"]


CHANGES = {
    with_code_in_samples: "could run any code",
    with_pickled_weight: "could run any code",
    with_an_object: "could run any code",
    with_old_weights: "could run any code",
    with_compiled_code: r"it holds data/aotinductor/model/code\.so",
    without_program: "it holds no program",
}


@pytest.mark.parametrize("change", [*CHANGES], ids=lambda change: change.__name__)
def test_an_archive_that_could_run_code_is_not_loaded(change, archive, tmp_path):
    path = tmp_path / "changed.pt2"
    changed(archive, path, change)
    with pytest.raises(NetdynError, match=CHANGES[change]) as refused:
        load_program(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_archive_is_refused(share, archive, tmp_path):
    path = tmp_path / "short.pt2"
    whole = archive.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(NetdynError, match=r"short\.pt2: truncated, damaged or no archive"):
        load_program(path)


def test_a_damaged_program_and_a_missing_file_are_refused(archive, tmp_path):
    path = tmp_path / "damaged.pt2"
    changed(archive, path, lambda files: files.update({"models/model.json": b"{}"}))
    with pytest.raises(NetdynError, match="truncated, damaged"):
        load_program(path)
    with pytest.raises(NetdynError, match="no such file"):
        load_program(tmp_path / "none.pt2")


def test_an_archive_gives_the_program_that_was_saved(archive, stream):
    x = torch.rand(7, 6, generator=stream)
    program = load_program(archive)
    assert torch.equal(module_of(program)(x), program.module()(x))
