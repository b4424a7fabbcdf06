"""Every new tensor in the source names its dtype and its device.

Without them PyTorch takes those that the calling program has set by `torch.set_default_dtype` and
`torch.set_default_device`, and numbers would depend on them.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
MAKERS = {
    *("arange", "as_tensor", "asarray", "empty", "empty_permuted", "empty_strided", "eye", "full"),
    *("linspace", "logspace", "normal", "ones", "rand", "randint", "randn", "randperm", "range"),
    *("scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros", "Generator"),
    *("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"),
}
# Of whole numbers, whatever the default dtype: `arange` only where no argument is a float.
WHOLE = {"arange", "randint", "randperm", "range", "tril_indices", "triu_indices", "Generator"}


def unnamed(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and call of each maker of tensors that leaves out its dtype or its device."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        full = ast.unparse(node.func)
        name = full.removeprefix("torch.")
        if full == "torch.Generator":
            if not node.args and "device" not in {word.arg for word in node.keywords}:
                yield node.lineno, full
            continue
        if name == full or name not in MAKERS:
            continue
        words = {word.arg for word in node.keywords}
        inner = [part for argument in node.args for part in ast.walk(argument)]
        is_float = any(isinstance(part, ast.Constant) and isinstance(part.value, float)
                       for part in inner)  # fmt: skip
        needed = {"device"} if name in WHOLE and not is_float else {"device", "dtype"}
        if not needed <= words:
            yield node.lineno, ast.unparse(node)


def test_every_new_tensor_names_dtype_and_device():
    places = [
        f"{path.relative_to(SOURCE.parent)}:{line}: {call}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line, call in unnamed(path.read_text(encoding="utf-8"))
    ]
    assert not places, "name dtype and device:\n" + "\n".join(places)


@pytest.mark.parametrize(
    "call",
    [
        "torch.zeros(3)",
        "torch.zeros(3, dtype=d)",
        "torch.zeros(3, device=d)",
        "torch.tensor([1], device=d)",
        "torch.as_tensor(x, dtype=d)",
        "torch.randn(3, generator=g, dtype=d)",
        "torch.randperm(3, generator=g)",
        "torch.arange(0.0, 1.0, device=d)",
        "torch.Generator()",
        "f(x + torch.full((3,), 1.0))",
    ],
)
def test_a_maker_without_them_is_seen(call):
    assert len([*unnamed(call)]) == 1


@pytest.mark.parametrize(
    "call",
    [
        "torch.zeros(3, dtype=d, device=d)",
        "torch.arange(3, device=d)",
        "torch.randperm(3, generator=g, device=d)",
        "torch.Generator('cpu')",
        "torch.zeros_like(x)",
        "x.new_zeros(3)",
        "torch.from_numpy(x)",
        "numpy.zeros(3)",
    ],
)
def test_what_names_them_or_takes_them_from_a_tensor_passes(call):
    assert not [*unnamed(call)]
