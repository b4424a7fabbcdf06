"""How a device multiplies and adds, whatever the environment or the calling program has set.

    precision   products of float32     products of bfloat16     batch norm, sums, optimizer
    float32     IEEE float32            –                        float32
    tf32        TF32 factors            –                        float32
    bfloat16    IEEE float32            summed in float32        float32
    float64     IEEE float32            –                        float64

Measuring is "float32": IEEE float32, and float64 for the quantities computed in it. On a GPU every
operation is deterministic too, so the same GPU, versions and settings give the same bits. Another
kind of GPU, or another version of CUDA, cuDNN or PyTorch, may give others: kernels then add in
another order.

Convolutions and recurrent layers have flags of their own, which are left unchanged: netdyn's
networks have none.
"""

import contextlib
import functools
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.utils.deterministic

from netdyn.errors import NetdynError

__all__ = ["check_precision", "device_name", "fixed_arithmetic", "gpu_identity", "gpu_record"]

# Variables that cuBLAS itself reads, out of reach of PyTorch's flags, and their values without
# effect: https://docs.nvidia.com/cuda/cublas
_CUBLAS_OVERRIDES = {
    "NVIDIA_TF32_OVERRIDE": ("", "0"),
    "CUBLAS_EMULATE_SINGLE_PRECISION": ("", "0"),
    "CUBLAS_EMULATE_DOUBLE_PRECISION": ("", "0"),
}
_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_DETERMINISTIC_WORKSPACES = (":4096:8", ":16:8")
_REDUCTIONS = ("allow_bf16_reduced_precision_reduction", "allow_fp16_reduced_precision_reduction")


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that a device lacks, or that the environment would turn into another.

    Raises:
        NetdynError: tf32 on anything but an NVIDIA GPU of compute capability 8.0 or more; float64
            on MPS; or an environment variable that changes what cuBLAS does.
    """
    if precision == "float64" and device.type == "mps":
        raise NetdynError("precision float64: MPS has none; choose float32, or device cpu")
    if precision == "tf32" and device.type != "cuda":
        raise NetdynError(
            f"precision tf32: device {device.type} has none; choose float32, or an NVIDIA GPU"
        )
    if device.type != "cuda":
        return
    if precision == "tf32" and torch.cuda.get_device_capability(device) < (8, 0):
        name = torch.cuda.get_device_name(device)
        raise NetdynError(f"precision tf32: {name} has none (Ampere and later do); choose float32")
    for variable, harmless in _CUBLAS_OVERRIDES.items():
        value = os.environ.get(variable, "")
        needs_tf32 = precision == "tf32" and variable == "NVIDIA_TF32_OVERRIDE"
        if value not in (("",) if needs_tf32 else harmless):
            raise NetdynError(
                f"{variable}={value} makes cuBLAS multiply otherwise than precision {precision} "
                f"says, and cannot be undone from here: unset {variable}"
            )


@contextlib.contextmanager
def fixed_arithmetic(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in `precision` on `device` within this context, deterministically on a GPU.

    Flags and environment variables are restored afterwards. Enter the context before a CUDA graph
    is captured, not during the capture.

    Args:
        precision: a run's setting, or "float32" for measuring.
        device: what computes.

    Raises:
        NetdynError: see `check_precision`; or cuBLAS was at work in this process without a
            deterministic workspace; or products of float32 are not IEEE float32 all the same.
    """
    check_precision(precision, device)
    with contextlib.ExitStack() as undo:
        _set_products(undo)
        if device.type == "cuda":
            _set_determinism(undo)
            _check_products(device)
        if precision == "tf32":
            _write_float32_products("high", "tf32", "ieee")
        yield


def device_name(device: torch.device) -> str:
    """Return a GPU's name, and of any other device its kind."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def gpu_identity(device: torch.device) -> dict:
    """Return what bits on a GPU depend on beside settings, code and PyTorch; {} elsewhere."""
    if device.type != "cuda":
        return {}
    return {
        "gpu": {
            "name": torch.cuda.get_device_name(device),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "blas": torch.backends.cuda.preferred_blas_library().name,
            "workspace": _workspace(),
        }
    }


def gpu_record(device: torch.device) -> dict:
    """Return a record's description of a GPU: driver, libraries and the flags at this moment.

    {} where no GPU is used. The driver's version is None where it is unknown.
    """
    if device.type != "cuda":
        return {}
    matmul = torch.backends.cuda.matmul
    return {
        "gpu": {
            "name": torch.cuda.get_device_name(device),
            "memory_bytes": torch.cuda.get_device_properties(device).total_memory,
            "driver": _driver_version(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
            "flags": {
                "fp32_precision": matmul.fp32_precision,
                **{name: getattr(matmul, name) for name in _REDUCTIONS},
                "allow_fp16_accumulation": matmul.allow_fp16_accumulation,
                "preferred_blas_library": torch.backends.cuda.preferred_blas_library().name,
                "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
                "cudnn_deterministic": torch.backends.cudnn.deterministic,
                "cudnn_benchmark": torch.backends.cudnn.benchmark,
                "cublas_workspace_config": os.environ.get(_WORKSPACE),
            },
        }
    }


def _set_products(undo: contextlib.ExitStack) -> None:
    """Set products to IEEE float32 and the sums of shorter ones to float32, until `undo` closes."""
    matmul, onednn = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
    # PyTorch has two flags for products of float32, an older and a newer one, and some of its own
    # readers raise an error where the two contradict each other. So both are set and restored. The
    # older one can be read without an error once the newer ones are IEEE.
    newer = matmul.fp32_precision, onednn.fp32_precision
    matmul.fp32_precision = onednn.fp32_precision = "ieee"
    older = _quietly(torch.get_float32_matmul_precision)
    undo.callback(_write_float32_products, older, *newer)
    _write_float32_products("highest", "ieee", "ieee")
    for name in _REDUCTIONS:
        before = getattr(matmul, name), getattr(matmul, f"{name}_split_k", True)
        undo.callback(setattr, matmul, name, before)
        setattr(matmul, name, False)
    _set(undo, matmul, "allow_fp16_accumulation", False)


def _write_float32_products(older: str, cuda: str, onednn: str) -> None:
    _quietly(torch.set_float32_matmul_precision, older)
    for backend, value in ((torch.backends.cuda, cuda), (torch.backends.mkldnn, onednn)):
        # "none" inherits the value of the level above, as a flag that was never set does.
        backend.matmul.fp32_precision = "none"
        if backend.matmul.fp32_precision != value:
            backend.matmul.fp32_precision = value


def _quietly(function, *arguments):
    # Some versions of PyTorch warn that the name is deprecated.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def _set_determinism(undo: contextlib.ExitStack) -> None:
    before = os.environ.get(_WORKSPACE)
    undo.callback(_write_variable, _WORKSPACE, before)
    _write_variable(_WORKSPACE, _workspace())
    _set(undo, torch.backends.cudnn, "deterministic", True)
    _set(undo, torch.backends.cudnn, "benchmark", False)
    # It costs a kernel for each tensor, all of which are overwritten anyway.
    _set(undo, torch.utils.deterministic, "fill_uninitialized_memory", False)
    # Not use_deterministic_algorithms, which imports PyTorch's compiler for seconds.
    undo.callback(torch.set_deterministic_debug_mode, torch.get_deterministic_debug_mode())
    torch.set_deterministic_debug_mode("error")


def _workspace() -> str:
    value = os.environ.get(_WORKSPACE)
    return value if value in _DETERMINISTIC_WORKSPACES else _DETERMINISTIC_WORKSPACES[0]


def _write_variable(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _set(undo: contextlib.ExitStack, owner: object, name: str, value: object) -> None:
    undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


@functools.cache
def _check_products(device: torch.device) -> None:
    """Multiply numbers that TF32 and bfloat16 would round by one; once per process and device."""
    x = torch.full((256, 256), 1 + 2.0**-20, dtype=torch.float32, device=device)
    try:
        is_exact = torch.equal(x @ torch.eye(256, dtype=torch.float32, device=device), x)
    except RuntimeError as error:
        if _WORKSPACE not in str(error):
            raise
        raise NetdynError(
            "CUDA was used in this process before, with a workspace of cuBLAS that is not "
            f"deterministic: set {_WORKSPACE}=:4096:8 before the process starts"
        ) from error
    if not is_exact:
        raise NetdynError(
            "products of float32 on this GPU are not IEEE float32, though PyTorch is set to that: "
            "look for environment variables of CUDA and cuBLAS that change them"
        )


@functools.cache
def _driver_version() -> str | None:
    with contextlib.suppress(OSError):
        return Path("/sys/module/nvidia/version").read_text(encoding="utf-8").strip()
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        completed = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(completed.stdout.split()), None)
