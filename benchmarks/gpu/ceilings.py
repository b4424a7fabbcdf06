"""What a device attains at most: a large copy, large products of random numbers by precision."""

import contextlib
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import torch

__all__ = ["ceilings", "machine", "seconds_of_calls"]

# Values of the copied array and rows of the products' matrices, by kind of device.
COPIED = {"cuda": 2**29, "cpu": 2**22}
ROWS = {"cuda": 8192, "cpu": 128}
REPEATS = 5
# The factors of the products; tf32 is float32 that CUDA rounds to ten bits.
FACTORS = {"bfloat16": torch.bfloat16, "float32": torch.float32, "tf32": torch.float32}


def machine(device: torch.device) -> dict[str, str]:
    """Return the names and versions that times depend on."""
    here = {"torch": torch.__version__, "python": platform.python_version()}
    if device.type != "cuda":
        return {"device": platform.processor() or platform.machine(), "driver": "", "cuda": ""} | (
            here
        )
    return {
        "device": torch.cuda.get_device_name(device),
        "driver": _driver(),
        "cuda": str(torch.version.cuda),
        **here,
    }


def _driver() -> str:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        completed = subprocess.run(
            command, capture_output=True, encoding="utf-8", timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return completed.stdout.splitlines()[0].strip() if completed.stdout else ""


def ceilings(device: torch.device) -> dict[str, float]:
    """Return `copy`, bytes read and written a second, and FLOP/s by precision of the factors."""
    products = {name: _multiplied(device, name) for name in FACTORS if _has(device, name)}
    return {"copy": _copied(device), **products}


def _has(device: torch.device, precision: str) -> bool:
    return precision != "tf32" or device.type == "cuda"


def _copied(device: torch.device) -> float:
    source = torch.ones(COPIED[device.type], device=device)
    target = torch.empty_like(source)
    seconds = statistics.median(seconds_of_calls(lambda: target.copy_(source), device, REPEATS))
    return 2 * source.nbytes / seconds


def _multiplied(device: torch.device, precision: str) -> float:
    rows = ROWS[device.type]
    stream = torch.Generator(device).manual_seed(0)
    a, b = torch.randn(2, rows, rows, device=device, generator=stream).to(FACTORS[precision])
    out = torch.empty_like(a)
    with _tf32() if precision == "tf32" else contextlib.nullcontext():
        times = seconds_of_calls(lambda: torch.mm(a, b, out=out), device, REPEATS)
    return 2 * rows**3 / statistics.median(times)


@contextlib.contextmanager
def _tf32() -> Iterator[None]:
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def seconds_of_calls(
    work: Callable[[], object], device: torch.device, repeats: int, until: float = float("inf")
) -> list[float]:
    """Return the seconds of each call after a first that is not timed.

    Args:
        until: a time of `time.perf_counter` after which no call but the first timed one starts.
    """
    work()
    times: list[float] = []
    while not times or (len(times) < repeats and time.perf_counter() < until):
        times.append(_on_cuda(work) if device.type == "cuda" else _on_host(work))
    return times


def _on_cuda(work: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    work()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000


def _on_host(work: Callable[[], object]) -> float:
    since = time.perf_counter()
    work()
    return time.perf_counter() - since
