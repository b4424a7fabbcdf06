"""Flags of products and of determinism: set whatever was set before, and afterwards as before."""

import contextlib
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
import torch.utils.deterministic

from netdyn.errors import NetdynError
from netdyn.records import files
from netdyn.records.provenance import Origin
from netdyn.results.measured import measured_record
from netdyn.runtime import arithmetic
from netdyn.runtime.arithmetic import (
    check_precision,
    device_name,
    fixed_arithmetic,
    gpu_identity,
    gpu_record,
)
from netdyn.training import train

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda"), torch.device("mps")
PRECISIONS = ("float32", "tf32", "bfloat16", "float64")


def flags():
    """Return all that the arithmetic of a process depends on, as a host may read it."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    names = (
        *("fp32_precision", "allow_fp16_accumulation"),
        *("allow_bf16_reduced_precision_reduction", "allow_fp16_reduced_precision_reduction"),
        "allow_bf16_reduced_precision_reduction_split_k",
    )
    return {
        **{name: getattr(matmul, name) for name in names},
        "onednn": torch.backends.mkldnn.matmul.fp32_precision,
        "allow_tf32": either(lambda: matmul.allow_tf32),
        "float32_matmul_precision": either(torch.get_float32_matmul_precision),
        "conv": cudnn.conv.fp32_precision,
        "cudnn": (cudnn.deterministic, cudnn.benchmark),
        "debug_mode": torch.get_deterministic_debug_mode(),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,
        "workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def either(read):
    """Return what is read, or that PyTorch refuses to read what contradicts itself."""
    try:
        return read()
    except RuntimeError:
        return "contradiction"


def newer():
    torch.backends.cuda.matmul.fp32_precision = "tf32"


def everywhere():
    torch.backends.fp32_precision = "tf32"


def medium():
    torch.set_float32_matmul_precision("medium")


def older():
    torch.backends.cuda.matmul.allow_tf32 = True


def reduced():
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = (False, False)
    torch.backends.cuda.matmul.allow_fp16_accumulation = True


def deterministic():
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = True
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":0:0"


HOSTS = (lambda: None, newer, everywhere, medium, older, reduced, deterministic)


@pytest.fixture(autouse=True)
def host(monkeypatch):
    """Keep what a test sets as its host from the tests after it."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    for variable in arithmetic._CUBLAS_OVERRIDES:
        monkeypatch.delenv(variable, raising=False)
    before = flags()
    yield
    torch.backends.fp32_precision = "none"
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.fp32_precision = "none"
    torch.backends.mkldnn.matmul.fp32_precision = "none"
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = True
    torch.backends.cuda.matmul.allow_fp16_accumulation = False
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = False
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
    assert flags() == before


@pytest.fixture
def gpu(monkeypatch):
    """Pretend an H100 whose products are checked elsewhere."""
    properties = SimpleNamespace(total_memory=80 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(arithmetic, "_check_products", lambda device: None)
    monkeypatch.setattr(arithmetic, "_driver_version", lambda: "570.1")


@pytest.mark.parametrize("set_before", HOSTS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_flags_are_the_precisions_own_whatever_was_set_before(gpu, precision, set_before):
    set_before()
    before = flags()
    with fixed_arithmetic(precision, CUDA):
        tf32 = precision == "tf32"
        expected = {
            "fp32_precision": "tf32" if tf32 else "ieee",
            "allow_fp16_accumulation": False,
            "allow_bf16_reduced_precision_reduction": False,
            "allow_fp16_reduced_precision_reduction": False,
            "onednn": "ieee",
            "allow_tf32": tf32,  # the older names agree, so that no reader raises
            "float32_matmul_precision": "high" if tf32 else "highest",
            "cudnn": (True, False),
            "debug_mode": 2,
            "fill": False,
            "workspace": ":4096:8",
        }
        assert {name: flags()[name] for name in expected} == expected
    assert flags() == before


def test_measuring_within_a_training_in_tf32_is_ieee(gpu):
    with fixed_arithmetic("tf32", CUDA):
        with fixed_arithmetic("float32", CUDA):
            assert flags()["fp32_precision"] == "ieee"
        assert flags()["fp32_precision"] == "tf32"
        assert flags()["float32_matmul_precision"] == "high"


@pytest.mark.parametrize("set_before", HOSTS)
def test_flags_come_back_after_an_error_too(gpu, set_before):
    set_before()
    before = flags()
    with contextlib.suppress(ZeroDivisionError), fixed_arithmetic("tf32", CUDA):
        raise ZeroDivisionError
    assert flags() == before


def test_a_processor_is_left_its_algorithms():
    before = flags()
    with fixed_arithmetic("float32", CPU):
        assert flags()["onednn"] == "ieee"
        same = ("cudnn", "debug_mode", "fill", "workspace")
        assert {name: flags()[name] for name in same} == {name: before[name] for name in same}


def test_a_workspace_that_is_deterministic_stays(gpu, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with fixed_arithmetic("float32", CUDA):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    assert gpu_identity(CUDA)["gpu"]["workspace"] == ":16:8"


@pytest.mark.parametrize("value", ["0", "1"])
def test_pytorchs_own_variable_changes_nothing(value):
    program = (
        "import torch; from netdyn.runtime.arithmetic import fixed_arithmetic as fixed\n"
        "matmul = torch.backends.cuda.matmul; before = matmul.allow_tf32\n"
        "with fixed('float32', torch.device('cpu')):\n"
        "    print(matmul.fp32_precision, matmul.allow_tf32, before)\n"
        "assert matmul.allow_tf32 == before"
    )
    completed = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE": value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.stdout.split() == ["ieee", "False", str(value == "1")], completed.stderr
    assert completed.stderr == ""


@pytest.mark.parametrize(
    ("variable", "value", "refused"),
    [
        ("NVIDIA_TF32_OVERRIDE", "1", PRECISIONS),
        ("NVIDIA_TF32_OVERRIDE", "0", ("tf32",)),
        ("NVIDIA_TF32_OVERRIDE", "", ()),
        ("CUBLAS_EMULATE_SINGLE_PRECISION", "1", PRECISIONS),
        ("CUBLAS_EMULATE_DOUBLE_PRECISION", "0", ()),
    ],
)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_cublas_reads_by_itself_is_refused(
    gpu, monkeypatch, variable, value, refused, precision
):
    monkeypatch.setenv(variable, value)
    check_precision("float32", CPU)  # no processor asks cuBLAS
    if precision in refused:
        with pytest.raises(NetdynError, match=f"{variable}={value} .*unset {variable}"):
            check_precision(precision, CUDA)
    else:
        check_precision(precision, CUDA)


@pytest.mark.parametrize(
    ("precision", "device", "message"),
    [
        ("tf32", CPU, "precision tf32: device cpu has none"),
        ("tf32", MPS, "precision tf32: device mps has none"),
        ("float64", MPS, "precision float64: MPS has none"),
    ],
)
def test_a_precision_that_a_device_lacks_is_an_error(precision, device, message):
    with pytest.raises(NetdynError, match=message), fixed_arithmetic(precision, device):
        pytest.fail("computed all the same")


def test_tf32_needs_a_gpu_that_has_it(gpu, monkeypatch):
    check_precision("tf32", CUDA)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(NetdynError, match="tf32: NVIDIA H100 has none"):
        check_precision("tf32", CUDA)
    check_precision("float32", CUDA)


def test_a_training_in_tf32_on_a_processor_ends_before_it_begins(tmp_path, toy_data, run_settings):
    folders = tmp_path / "run", tmp_path / "checkpoints"
    with pytest.raises(NetdynError, match="tf32: device cpu has none"):
        train.train(run_settings(precision="tf32"), toy_data, *folders, "cpu")
    assert list(tmp_path.iterdir()) == []


def test_float64_on_mps_ends_before_it_begins(tmp_path, toy_data, run_settings, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    folders = tmp_path / "run", tmp_path / "checkpoints"
    with pytest.raises(NetdynError, match="float64: MPS has none"):
        train.train(run_settings(precision="float64"), toy_data, *folders, "mps")
    assert list(tmp_path.iterdir()) == []


def test_products_that_are_not_ieee_are_noticed(monkeypatch):
    check = arithmetic._check_products.__wrapped__
    check(CPU)
    exact = torch.Tensor.__matmul__
    monkeypatch.setattr(
        torch.Tensor, "__matmul__", lambda a, b: exact(a.bfloat16(), b.bfloat16()).float()
    )
    with pytest.raises(NetdynError, match="not IEEE float32"):
        check(CPU)


def test_a_process_that_used_cublas_before_learns_what_to_set(monkeypatch):
    def refuse(*_):
        raise RuntimeError("to be deterministic you must set CUBLAS_WORKSPACE_CONFIG=:4096:8")

    monkeypatch.setattr(torch.Tensor, "__matmul__", refuse)
    with pytest.raises(NetdynError, match="set CUBLAS_WORKSPACE_CONFIG=:4096:8 before"):
        arithmetic._check_products.__wrapped__(CPU)


def test_the_record_names_gpu_driver_libraries_and_flags(gpu):
    with fixed_arithmetic("tf32", CUDA):
        gpu = gpu_record(CUDA)["gpu"]
    assert (gpu["name"], gpu["memory_bytes"], gpu["driver"]) == ("NVIDIA H100", 80 * 2**30, "570.1")
    assert {"cuda", "cudnn"} < gpu.keys()
    assert gpu["flags"] == {
        "fp32_precision": "tf32",
        "allow_bf16_reduced_precision_reduction": False,
        "allow_fp16_reduced_precision_reduction": False,
        "allow_fp16_accumulation": False,
        "preferred_blas_library": gpu["flags"]["preferred_blas_library"],
        "deterministic_algorithms": True,
        "cudnn_deterministic": True,
        "cudnn_benchmark": False,
        "cublas_workspace_config": ":4096:8",
    }
    assert device_name(CUDA) == "NVIDIA H100"


def test_elsewhere_no_gpu_is_recorded():
    for device in (CPU, MPS):
        assert gpu_record(device) == gpu_identity(device) == {}
        assert device_name(device) == device.type


def test_a_part_says_where_it_was_measured(tmp_path, toy_data, gpu, monkeypatch):
    files.write_json(tmp_path / "run.json", {})
    run = {"settings": str(tmp_path / "run.json"), "data": str(toy_data)}
    record = {
        "quantity": "history",
        "settings": {"threads": 1},
        "origin": Origin("netdyn.measures.ranks.rpd"),
    }
    origin = measured_record(runs=[run], device="cpu", **record)["made"]
    assert (origin["device"], origin["device_name"]) == ("cpu", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    origin = measured_record(runs=[run], device="auto", **record)["made"]
    assert (origin["device"], origin["device_name"]) == ("cuda", "NVIDIA H100")
    assert origin["gpu"]["driver"] == "570.1"
    assert "device" not in measured_record(runs=[], device="auto", **record)["made"]


def test_the_drivers_version_is_none_where_nothing_tells_it(monkeypatch, tmp_path):
    version = arithmetic._driver_version.__wrapped__
    monkeypatch.setattr(arithmetic, "Path", lambda _: tmp_path / "version")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert version() is None
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 570.1\necho 570.1\n")
    tool.chmod(0o755)
    assert version() == "570.1"
    tool.write_text("#!/bin/sh\necho no devices were found\nexit 6\n")
    assert version() is None
    (tmp_path / "version").write_text("580.2\n")
    assert version() == "580.2"
