"""The pretended GPU itself: it refuses what CUDA refuses, allows what CUDA allows, and counts."""

import copy

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal
from pretended_gpu import Pretended, pretended_gpu
from test_every_quantity import RANKS, SAMPLE_NOISE
from torch import nn

from netdyn.errors import NetdynError
from netdyn.quantities import basin_size, rpd_gradient
from netdyn.quantities.subject import Subject
from netdyn.runtime.random_streams import generator
from netdyn.training.engine.batches import Batches


@pytest.fixture
def gpu(monkeypatch):
    with pretended_gpu(monkeypatch) as counts:
        yield counts


def numbers(device="cpu"):
    return torch.arange(12.0).view(3, 4).to(device)


PLACES = torch.tensor([2, 0])
DEVICES = "Expected all tensors to be on the same device"
MISTAKES = {
    "sum": (lambda x: x + numbers(), DEVICES),
    "sum in place": (lambda x: x.add_(numbers()), DEVICES),
    "sum with an array": (lambda x: x + torch.from_numpy(np.ones((3, 4), np.float32)), DEVICES),
    "sum with what has no device": (lambda x: x[0] * torch.arange(4), DEVICES),
    "number where none is taken": (lambda x: torch.stack([x.sum(), torch.tensor(1.0)]), DEVICES),
    "product": (lambda x: x @ numbers().T, DEVICES),
    "offset": (lambda x: nn.functional.linear(x, x, torch.zeros(3)), DEVICES),
    "concatenation": (lambda x: torch.cat([x, numbers()]), DEVICES),
    "choice": (lambda x: torch.where(x > 1, x, numbers()), DEVICES),
    "index_select": (lambda x: x.index_select(0, PLACES), DEVICES),
    "gather": (lambda x: x.gather(0, PLACES.unsqueeze(1)), DEVICES),
    "searchsorted": (lambda x: torch.searchsorted(x, numbers()), DEVICES),
    "out": (lambda x: torch.mul(x, 2, out=numbers()), DEVICES),
    "values": (lambda x: x.index_put_((PLACES,), numbers()[:2]), DEVICES),
    "network": (lambda x: nn.Linear(4, 2)(x), DEVICES),
    "index": (lambda x: numbers()[x[0].long().clamp(max=2)], "indices should be either on cpu"),
    "mask": (lambda x: numbers()[x > 1], "indices should be either on cpu"),
    "generator": (lambda x: x.uniform_(generator=generator(0, "a")), "device type for generator"),
    "generator of a new tensor": (
        lambda x: torch.randn(3, device=x.device, generator=generator(0, "a")),
        "device type for generator",
    ),
    "numpy": (lambda x: x.numpy(), "can't convert cuda:0"),
    "array": (lambda x: np.asarray(x), "can't convert cuda:0"),
    "percentile": (lambda x: np.percentile(x, 50), "can't convert cuda:0"),
}


@pytest.mark.parametrize(("mistake", "message"), MISTAKES.values(), ids=[*MISTAKES])
def test_refuses_what_cuda_refuses(gpu, mistake, message):
    with pytest.raises((RuntimeError, TypeError), match=message):
        mistake(numbers("cuda"))


ALLOWED = {
    "number": lambda x: x * torch.tensor(2.0),
    "choice of a number": lambda x: torch.where(x > 1, x, torch.tensor(0.0)),
    "index of the CPU": lambda x: x[PLACES.to("cpu")],
    "mask": lambda x: x[x > 3],
    "number through a mask": lambda x: x.clone().masked_fill_(x > 3, 0.0),
    "copy": lambda x: x.clone().copy_(torch.ones(3, 4)),
    "tensor like": lambda x: x.sum(dim=0).to(torch.zeros_like(x)),
    "tensor on its device": lambda x: x + torch.ones(4, device=x.device),
    "new numbers": lambda x: x[0] * x.new_tensor([1.0, 2.0, 3.0, 4.0]),
    "to the type of another": lambda x: torch.arange(4).to(x) + x,
}


@pytest.mark.parametrize("allowed", ALLOWED.values(), ids=[*ALLOWED])
def test_computes_what_the_cpu_does(gpu, allowed):
    found = allowed(numbers("cuda"))
    assert isinstance(found, Pretended)
    assert found.device.type == "cuda"
    assert torch.equal(found.cpu(), allowed(numbers()))


def test_modules_move_are_copied_and_differentiated(gpu):
    on_cpu = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 2))
    model = copy.deepcopy(on_cpu).to("cuda")
    for network in (model, copy.deepcopy(model)):
        assert {tensor.device.type for tensor in network.state_dict().values()} == {"cuda"}
        assert all(isinstance(parameter, nn.Parameter) for parameter in network.parameters())
        nn.functional.mse_loss(network(numbers("cuda")), torch.ones(3, 2, device="cuda")).backward()
    copied = next(copy.deepcopy(model).parameters())
    assert copied.held.data_ptr() != next(model.parameters()).held.data_ptr()
    nn.functional.mse_loss(on_cpu(numbers()), torch.ones(3, 2)).backward()
    for parameter, expected in zip(model.parameters(), on_cpu.parameters(), strict=True):
        assert torch.equal(parameter.grad.cpu(), expected.grad)
    assert torch.equal(model[1].running_var.cpu(), on_cpu[1].running_var)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x.nonzero(),
        lambda x: x[x > 1],
        lambda x: x.unique(),
        lambda x: bool((x > 1).any()),
        lambda x: float(x.mean()),
        lambda x: x.long().flatten().bincount(),
    ],
)
def test_counts_waits(gpu, wait):
    x = numbers("cuda")
    before = gpu.waits.total()
    wait(x)
    assert gpu.waits.total() == before + 1


def test_neither_arithmetic_nor_writing_a_number_waits(gpu):
    x = numbers("cuda")
    before = gpu.waits.total(), gpu.launches.total()
    y = (x @ x.T).relu()
    y[y > 2] = 1.0
    assert gpu.waits.total() == before[0]
    assert gpu.launches.total() > before[1]


@pytest.fixture
def subject(tmp_path, run_settings, train_run, toy_data):
    folder = train_run(tmp_path, run_settings(samples=60))
    return lambda device="cuda": Subject.open(folder, toy_data, device)


def test_counts_by_the_line_that_waits(monkeypatch, subject):
    with pretended_gpu(monkeypatch) as counts:
        basin_size.measure(subject(), SAMPLE_NOISE)
    assert counts.of_waits("sizes.py")
    assert not counts.of_waits("lmap.py")


def test_finds_samples_left_on_the_cpu(monkeypatch, subject):
    def samples(self, split, count="all", given=Subject.samples):
        images, labels = given(self, split, count)
        return images.cpu(), labels

    monkeypatch.setattr(Subject, "samples", samples)
    refusal = pytest.raises(NetdynError, match="samples are on cpu, the network is on cuda:0")
    with pretended_gpu(monkeypatch), refusal:
        rpd_gradient.measure(subject(), RANKS)


def test_labels_follow_the_samples(monkeypatch, subject):
    def samples(self, split, count="all", given=Subject.samples):
        images, labels = given(self, split, count)
        return images, labels.cpu()

    expected = rpd_gradient.measure(subject("cpu"), RANKS)
    monkeypatch.setattr(Subject, "samples", samples)
    with pretended_gpu(monkeypatch):
        measured = rpd_gradient.measure(subject(), RANKS)
    assert_frame_equal(measured, expected, rtol=1e-4, atol=1e-6)


def test_finds_an_order_of_samples_left_on_the_cpu(gpu, run_settings):
    images, labels = torch.zeros(90, 4, device="cuda"), torch.zeros(90, device="cuda").long()
    batches = Batches(images, labels, run_settings())
    batches.at(0)
    batches._order = batches._order.cpu()
    with pytest.raises(RuntimeError, match="same device"):
        batches.at(1)
