"""A GPU pretended on the CPU: its tensors compute there, say "cuda", and refuse what CUDA refuses.

PyTorch's own fake tensors of "cuda" need a build for CUDA, and compute nothing. Here a tensor holds
one of the CPU; C++ sees the CPU's, Python the GPU's. Launches of kernels and waits for the GPU are
counted by the line of netdyn that causes them.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from netdyn.training.engine import cuda_graphs

CUDA = torch.device("cuda", 0)
SOURCE = str(Path(__file__).parents[2] / "src")
aten = torch.ops.aten

# Operations that take tensors of both devices, by what CUDA allows.
COPIES = {aten.copy_.default}
INDEXING = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}
# Besides the pointwise ones: a number on the CPU is handed to the kernel as an argument.
TAKE_NUMBERS = {aten.fill_.Tensor, aten.masked_fill.Tensor, aten.masked_fill_.Tensor}
# Operations whose result, or its size, the host has to know.
WAITING = {
    *(aten._local_scalar_dense.default, aten.nonzero.default, aten.equal.default),
    *(aten.masked_select.default, aten.bincount.default, aten.repeat_interleave.Tensor),
    *(aten._unique2.default, aten._unique.default, aten.unique_dim.default),
    aten.unique_consecutive.default,
}
# Functions that make tensors of their own in C++, where the GPU is not known.
MAKING = {
    *(Tensor.new_tensor, torch.nn.functional.one_hot),
    *(Tensor.backward, torch.autograd.backward, torch.autograd.grad),
}
MOVING = {Tensor.to, Tensor.cpu, Tensor.cuda}


class Counts:
    """How often each line of netdyn launched a kernel and waited for the GPU."""

    def __init__(self):
        self.launches, self.waits = Counter(), Counter()

    def of_waits(self, module: str) -> int:
        """Return how often the lines of a module, such as "noisy_passes.py", waited."""
        return sum(count for line, count in self.waits.items() if line.split(":")[0] == module)


_counts = Counts()


def _line() -> str:
    frame = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith(SOURCE):
        frame = frame.f_back
    if frame is None:
        return "outside:0"
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _launch() -> None:
    _counts.launches[_line()] += 1


def _wait() -> None:
    _counts.waits[_line()] += 1


class Pretended(Tensor):
    """A tensor of the pretended GPU; `held` is what it is on the CPU."""

    @staticmethod
    def __new__(cls, held: Tensor, requires_grad: bool = False):
        return Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            requires_grad=requires_grad,
        )

    def __init__(self, held: Tensor, requires_grad: bool = False):
        self.held = held

    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    def __repr__(self, **_) -> str:
        return f"Pretended({self.held})"

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __array__(self, dtype=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def tolist(self):
        _wait()
        return self.held.tolist()

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            copied = Pretended(self.held.clone(), self.requires_grad)
            if getattr(self, "_is_param", False):
                copied._is_param = True
            memo[id(self)] = copied
        return memo[id(self)]

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        flat, _ = tree_flatten((args, kwargs))
        tensors = [each for each in flat if isinstance(each, Tensor)]
        _check_devices(func, args, tensors)
        for each in flat:
            if isinstance(each, torch.Generator):
                _check_generator(each)
        if not _is_view(func):
            _launch()
        if _waits(func, args):
            _wait()
        ours = {id(each.held): each for each in tensors if isinstance(each, Pretended)}
        args, kwargs = tree_map_only(Pretended, lambda each: each.held, (args, kwargs))
        with torch._C.DisableTorchFunction():
            found = func(*args, **kwargs)
        if func in COPIES and id(found) not in ours:
            return found  # to the CPU
        return tree_map_only(Tensor, lambda each: _same_or_new(ours, each), found)


def _same_or_new(ours: dict[int, Pretended], tensor: Tensor) -> Pretended:
    known = ours.get(id(tensor))
    return Pretended(tensor) if known is None else known


def _check_generator(stream: torch.Generator) -> None:
    if stream.device.type != "cuda":
        raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")


def _check_devices(func, args: tuple, tensors: list[Tensor]) -> None:
    others = [each for each in tensors if not isinstance(each, Pretended)]
    if not others or func in COPIES:
        return
    if func in INDEXING:
        if not isinstance(args[0], Pretended):
            raise RuntimeError(
                "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
            )
        others = [each for each in args[2:3] if not isinstance(each, Pretended)]  # the values
        others = [each for each in others if each.ndim]
    elif torch.Tag.pointwise in func.tags or func in TAKE_NUMBERS:
        others = [each for each in others if each.ndim]
    if others:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"cuda:0 and cpu! ({func})"
        )


def _is_view(func) -> bool:
    """Return whether an operation gives what it is given another shape, which takes no kernel."""
    aliases = [each.alias_info for each in func._schema.returns]
    return bool(aliases) and all(each is not None and not each.is_write for each in aliases)


def _waits(func, args: tuple) -> bool:
    if func in INDEXING:
        masks = [each for each in args[1] if each is not None and each.dtype == torch.bool]
        if any(not isinstance(each, Pretended) for each in args[1] if each is not None):
            return True  # indices of the CPU are copied
        # One number is written through a mask without knowing how often.
        return bool(masks) and (len(args) < 3 or args[2].numel() > 1)
    if func in COPIES:
        return not all(isinstance(each, Pretended) for each in args[:2])
    return func in WAITING


class _Mode(TorchFunctionMode):
    """Moves between the devices, and makes on the GPU what is to be made there."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in MOVING:
            return _moved(func, *args, **kwargs)
        device = kwargs.get("device")
        if device is None:
            if func not in MAKING or not _on_gpu(args):
                return func(*args, **kwargs)
            with _OnGpu():
                found = func(*args, **kwargs)
            return _placed(found, "cuda") if func is Tensor.new_tensor else found
        where = torch.device(device).type
        kwargs = {name: value for name, value in kwargs.items() if name != "device"}
        if where == "meta" or (where == "cpu" and not _on_gpu((args, kwargs))):
            return func(*args, **kwargs, device=device)
        if where == "cuda":
            if kwargs.get("generator") is not None:
                _check_generator(kwargs["generator"])
            _launch()
        return _placed(func(*args, **kwargs), where)


def _on_gpu(args) -> bool:
    return any(isinstance(each, Pretended) for each in tree_flatten(args)[0])


class _OnGpu(TorchDispatchMode):
    """Within an operation on tensors of the GPU, PyTorch makes tensors of its own there too."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if any(isinstance(each, Tensor) for each in tree_flatten((args, kwargs))[0]):
            return found
        return tree_map_only(Tensor, lambda each: _placed(each, "cuda"), found)


def _placed(tensor: Tensor, where: str) -> Tensor:
    if where == "cuda" and not isinstance(tensor, Pretended):
        if tensor.requires_grad and not tensor.is_leaf:
            raise NotImplementedError("the pretended GPU does not differentiate copies to it")
        return Pretended(tensor.detach(), tensor.requires_grad)
    if where == "cpu" and isinstance(tensor, Pretended):
        _wait()
        if tensor.requires_grad and torch.is_grad_enabled():
            raise NotImplementedError("the pretended GPU does not differentiate copies from it")
        return tensor.held.detach().clone()
    return tensor


def _moved(func, tensor: Tensor, *args, **kwargs) -> Tensor:
    """Return what `to`, `cpu` or `cuda` makes of a tensor."""
    if func is not Tensor.to:
        return _placed(tensor, "cpu" if func is Tensor.cpu else "cuda")
    where, dtype = kwargs.get("device"), kwargs.get("dtype")
    for each in args:
        if isinstance(each, Tensor):
            where, dtype = each.device, each.dtype
        elif isinstance(each, str | torch.device):
            where = each
        elif isinstance(each, torch.dtype):
            dtype = each
    if where is None:
        where = tensor.device
    # A plain tensor's data could be written through: a GPU's is always a copy.
    moves = torch.device(where).type != tensor.device.type
    copy = kwargs.get("copy", False) or (moves and not isinstance(tensor, Pretended))
    if isinstance(tensor, Pretended):
        _launch()
    converted = tensor.to(dtype=tensor.dtype if dtype is None else dtype, copy=copy)
    if moves and not isinstance(tensor, Pretended):
        _wait()  # memory that is not pinned
    return _placed(converted, torch.device(where).type)


@contextmanager
def pretended_gpu(monkeypatch):
    """Pretend that there is a GPU, which netdyn then trains and measures on; yield its `Counts`."""
    global _counts
    _counts = Counts()

    class Autocast(torch.autocast):
        def __init__(self, device_type: str, **more):
            super().__init__("cpu" if device_type == "cuda" else device_type, **more)

    with monkeypatch.context() as patch, _Mode():
        patch.setattr(cuda_graphs, "recorder", lambda device: None)  # nothing can be recorded here
        patch.setattr(torch, "autocast", Autocast)
        patch.setattr(torch.accelerator, "synchronize", lambda device=None: _wait())
        patch.setattr(torch.cuda, "get_device_name", lambda device=None: "a pretended GPU")
        properties = SimpleNamespace(name="a pretended GPU", total_memory=80 * 2**30)
        patch.setattr(torch.cuda, "get_device_properties", lambda device=None: properties)
        patch.setattr(torch.cuda, "get_device_capability", lambda device=None: (9, 0))
        for module in ("netdyn.runtime.devices", "netdyn.training.train"):
            patch.setattr(f"{module}.choose_device", lambda name: CUDA)
        # A module's parameters are replaced: a CPU's cannot be made to hold another kind of tensor.
        before = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        try:
            yield _counts
        finally:
            torch.__future__.set_overwrite_module_params_on_conversion(before)
