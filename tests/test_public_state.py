"""No public function changes anything, and no number depends on what the calling program set."""

import contextlib
import os
import random

import numpy as np
import pytest
import torch
from public_calls import CALLS, MEASURES, same_bytes, spectral_network, subject, tensors
from torch import nn

import netdyn
from netdyn._public import NAMES
from netdyn.runtime.threads import workers

ALL = CALLS | MEASURES
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory, train_run, run_settings):
    return train_run(tmp_path_factory.mktemp("run"), run_settings(steps=3))


def of_program():
    """Everything outside the arguments that a call could change and leave changed."""
    matmul = torch.backends.cuda.matmul
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "torch's random numbers": torch.get_rng_state().tolist(),
        "CUDA's": [state.tolist() for state in torch.cuda.get_rng_state_all()],
        "numpy's": (name, keys.tolist(), *rest),
        "Python's": random.getstate(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "defaults": (torch.get_default_dtype(), torch.get_default_device()),
        "modes": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")],
        "autocast's types": [torch.get_autocast_dtype(device) for device in ("cpu", "cuda")],
        "determinism": torch.get_deterministic_debug_mode(),
        "filling": torch.utils.deterministic.fill_uninitialized_memory,
        "cuDNN": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "products": (torch.get_float32_matmul_precision(), matmul.allow_tf32),
        "oneDNN": torch.backends.mkldnn.enabled,
        "numpy's errors": np.geterr(),
        "environment": dict(os.environ),
    }


def of_tensor(tensor):
    """A tensor's bits, its flags, its gradient, and how often it was written to."""
    if tensor is None:
        return None
    bits = tensor.detach().numpy().tobytes()
    flags = tensor.requires_grad, tensor._version, tensor.data_ptr(), tensor.is_leaf
    return (*flags, bits, of_tensor(tensor.grad) if tensor.is_leaf else None)


def of_arguments(of):
    model = of.model
    return {
        "tensors": [of_tensor(tensor) for tensor in of[1:-1]],
        "state": [(n, of_tensor(t)) for n, t in model.state_dict(keep_vars=True).items()],
        "modules": [(n, id(m), m.training) for n, m in model.named_modules()],
        "hooks": [[*getattr(m, kind)] for m in model.modules() for kind in HOOKS],
        "attributes": [sorted(vars(m)) for m in model.modules()],
    }


@contextlib.contextmanager
def nothing_changes(of):
    before = of_arguments(of), of_program()
    yield
    for then, now in zip(before, (of_arguments(of), of_program()), strict=True):
        for name in then:
            assert now[name] == then[name], name


@contextlib.contextmanager
def two_threads(name):
    """Let functions of ranks use two threads; the others' products are too small for them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2 if name.startswith("r") else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def result(name, of):
    with two_threads(name):
        return ALL[name](of)


def test_every_public_name_has_a_call():
    assert CALLS.keys() == NAMES.keys()


@pytest.mark.parametrize("network", [None, spectral_network])
@pytest.mark.parametrize("name", [*ALL])
def test_nothing_is_changed(name, network, run_folder):
    of = subject(network and network(), run_folder)
    refused = network and name in ("find_basins", "weight_noise_correct")
    # What is refused is left as it is, too.
    refusal = pytest.raises(netdyn.NetdynError) if refused else contextlib.nullcontext()
    with two_threads(name), nothing_changes(of), refusal:
        ALL[name](of)


def test_a_weight_is_that_of_evaluation_mode_in_either_mode():
    model, evaluated = spectral_network(), spectral_network().eval()
    x = subject(model).x
    for name in ("logits", "local_fields", "linear_maps", "prune", "read", "sample_noise_correct"):
        results = [tensors(CALLS[name](subject(m))) for m in (model, evaluated)]
        assert all(map(same_bytes, *results)), name
    # Training goes on from the same vectors: a network that was never measured gives the same.
    with torch.no_grad():
        assert same_bytes(netdyn.logits(model, x), evaluated(x))
        assert same_bytes(model(x), spectral_network()(x))


class Interrupted(nn.Module):
    """An activation that raises at its third call after `calls[0]` was set to 0."""

    def __init__(self):
        super().__init__()
        self.calls = [-1000]

    def forward(self, h):
        self.calls[0] += 1
        if self.calls[0] == 3:
            raise KeyboardInterrupt
        return h.relu()


@pytest.mark.parametrize(
    "name",
    ["find_basins", "local_fields", "logits", "sample_noise_correct", "weight_noise_correct"],
)
def test_an_interruption_leaves_all_as_it_was(name):
    model = nn.Sequential(nn.Linear(6, 8), Interrupted(), nn.Linear(8, 8), Interrupted(),
                          nn.Linear(8, 3)).train()  # fmt: skip
    model[3].calls = model[1].calls
    of = subject(model)
    network = netdyn.read(model, activations=[Interrupted])
    model[1].calls[0] = 0
    of_read, call = of._replace(model=network), CALLS[name]
    with nothing_changes(of), pytest.raises(KeyboardInterrupt):
        _ = call(of_read), call(of_read)


@pytest.mark.parametrize("name", ["rank_probability", "rank_statistics", "rpd_gradient"])
def test_an_error_in_a_thread_leaves_the_number_of_threads(name):
    of = subject()
    of.fields[3, 39] = torch.nan
    with (
        two_threads(name),
        nothing_changes(of),
        pytest.raises(netdyn.NetdynError, match="local fields contain NaN"),
    ):
        CALLS[name](of)


def test_between_the_steps_of_a_generator_all_is_as_it_was():
    of = subject()
    with torch.autocast("cpu", torch.bfloat16), nothing_changes(of):
        fields = netdyn.read(of.model).propagate(of.x)
        for expected in netdyn.local_fields(of.model, of.x):
            assert same_bytes(next(fields), expected)
            assert torch.is_grad_enabled()
            assert torch.is_autocast_enabled("cpu")
        fields.close()


def test_an_mlp_draws_its_weights_as_pytorchs_modules_do():
    before = of_program()
    torch.manual_seed(5)
    drawn = netdyn.MLP([4, 3, 2], batch_norm=False)
    torch.manual_seed(5)
    assert all(map(same_bytes, tensors(drawn[0]), tensors(nn.Linear(4, 3))))
    now = of_program()
    assert {name for name in now if now[name] != before[name]} == {"torch's random numbers"}


@contextlib.contextmanager
def switched(switch, value, before):
    switch(value)
    try:
        yield
    finally:
        switch(before)


@contextlib.contextmanager
def both(first, second):
    with first, second:
        yield


SETTINGS = {
    "float64 on meta": lambda: both(
        switched(torch.set_default_dtype, torch.float64, torch.float32),
        switched(torch.set_default_device, "meta", None),
    ),
    "float16": lambda: switched(torch.set_default_dtype, torch.float16, torch.float32),
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to half in inference": lambda: both(
        torch.inference_mode(), torch.autocast("cpu", torch.float16)
    ),
    "deterministic without gradients": lambda: both(
        switched(torch.set_deterministic_debug_mode, "error", "default"), torch.no_grad()
    ),
}


@pytest.fixture(scope="module")
def plain(run_folder):
    """The results of plain calls."""
    return {name: tensors(result(name, subject(run=run_folder))) for name in ALL}


@pytest.mark.parametrize("setting", [*SETTINGS])
def test_numbers_do_not_depend_on_what_the_program_has_set(setting, plain, run_folder):
    for name in ALL:
        of = subject(run=run_folder)
        with SETTINGS[setting](), nothing_changes(of):
            seen = result(name, of)
        seen = tensors(seen)
        assert all(map(same_bytes, seen, plain[name])), name
        assert len(seen) == len(plain[name])
        assert not any(tensor.is_inference() for tensor in seen), name


def test_numbers_do_not_depend_on_inputs_with_gradients(plain, run_folder):
    for name in ALL:
        of = subject(run=run_folder)
        parts = [p.requires_grad_() if p.is_floating_point() else p for p in of[1:-1]]
        of = of.__class__(of.model, *parts, of.run)
        with nothing_changes(of):
            seen = tensors(result(name, of))
        assert all(map(same_bytes, seen, plain[name])), name
        assert not any(tensor.requires_grad for tensor in seen if tensor is not of.x), name


def test_numbers_do_not_depend_on_inputs_of_inference_mode(plain, run_folder):
    with torch.inference_mode():
        of = subject(run=run_folder)
    of = of._replace(model=subject().model)
    for name in ALL:
        assert all(map(same_bytes, tensors(result(name, of)), plain[name])), name


def test_a_pool_of_threads_is_outside_of_the_programs_modes(plain):
    with torch.autocast("cpu", torch.bfloat16), workers(1) as pool:
        outputs = pool.submit(CALLS["logits"], subject()).result()
    assert all(map(same_bytes, tensors(outputs), plain["logits"]))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_training_does_not_depend_on_defaults(batch_norm, tmp_path, train_run, run_settings):
    settings = run_settings(steps=3, batch_norm=batch_norm)
    plain = train_run(tmp_path / "plain", settings)
    with SETTINGS["float64 on meta"]():
        other = train_run(tmp_path / "other", settings)
    for name in ("snapshots.safetensors", "history.csv", "manifest.json"):
        assert (other / name).read_bytes() == (plain / name).read_bytes(), name


@pytest.mark.parametrize("setting", [*SETTINGS])
def test_activations_with_parameters_are_tried_in_any_setting(setting):
    of = subject(nn.Sequential(nn.Linear(6, 8), nn.PReLU(8), nn.Linear(8, 3)))
    plain = netdyn.logits(of.model, of.x)
    with SETTINGS[setting](), nothing_changes(of):
        seen = netdyn.logits(of.model, of.x)
    assert same_bytes(seen, plain)
