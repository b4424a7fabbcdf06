"""Training: against plain loops, the same bits again, and no bit lost to a kill at any moment."""

import itertools
import math

import pytest
import torch
from comparing import bits, equal, weights
from torch.testing import assert_close

from netdyn.data import prepared
from netdyn.errors import NetdynError
from netdyn.results import runs
from netdyn.training import new_runs, train
from netdyn.training.engine.steps import TrainingSteps

OPTIMIZERS = ("sgd", "adam", "adamw")
EVERY_STEP = {"every_step_until": 1000, "per_decade": 0}


@pytest.fixture
def batches(monkeypatch):
    """The batch (x, labels) of each optimizer step, recorded while training."""
    seen = []
    original = TrainingSteps._update

    def record(self, x, labels):
        seen.append((x.clone(), labels.clone()))
        return original(self, x, labels)

    monkeypatch.setattr(TrainingSteps, "_update", record)
    return seen


# Against plain loops ------------------------------------------------------------------------------


def plain_gradients(state, x, labels, settings):
    """The gradients of the loss by the parameters, and the state with its running statistics moved.

    One sample, one layer, one formula at a time: Eq. 1 and 3 and the definition of the loss.
    """
    leaves = {
        name: value.clone().requires_grad_()
        for name, value in state.items()
        if name.endswith(("weight", "bias"))
    }
    state = dict(state)
    activation = {
        "relu": lambda h: h.clamp(min=0),
        "tanh": torch.tanh,
        "gaussian": lambda h: torch.exp(-(h**2)),
    }[settings["activation"]]
    depth, alpha = settings["depth"], settings["momentum"]
    for l in range(1, depth + 1):
        x = x @ leaves[f"linear{l}.weight"].T + leaves.get(f"linear{l}.bias", 0)
        if l == depth:
            break
        if settings["batch_norm"]:
            n, mean, variance = len(x), x.mean(dim=0), x.var(dim=0, correction=0)
            for name, met in {"mean": mean, "var": variance * n / (n - 1)}.items():
                running = state[f"norm{l}.running_{name}"]
                state[f"norm{l}.running_{name}"] = (1 - alpha) * running + alpha * met.detach()
            state[f"norm{l}.num_batches_tracked"] = state[f"norm{l}.num_batches_tracked"] + 1
            x = (x - mean) / (variance + 1e-5).sqrt()
            x = x * leaves[f"norm{l}.weight"] + leaves[f"norm{l}.bias"]
        x = activation(x)
    losses = []
    for outputs, label in zip(x, labels.tolist(), strict=True):
        if settings["loss"] == "mse":
            target = torch.zeros(len(outputs), dtype=outputs.dtype)
            target[label] = 1
            losses.append(((outputs - target) ** 2).mean())
        else:
            losses.append(outputs.exp().sum().log() - outputs[label])
    gradients = torch.autograd.grad(torch.stack(losses).mean(), [*leaves.values()])
    return dict(zip(leaves, gradients, strict=True)), state


def plain_update(state, gradients, moments, step, settings):
    """One step of SGD, Adam or AdamW by their formulas; `moments` is carried on."""
    rate, decay = settings["learning_rate"], settings["weight_decay"]
    state = dict(state)
    for name, gradient in gradients.items():
        weight = state[name]
        if settings["optimizer"] == "adamw":
            weight = weight - rate * decay * weight
        else:
            gradient = gradient + decay * weight
        if settings["optimizer"] != "sgd":
            first, second = moments.get(name, (0, 0))
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            moments[name] = first, second
            deviation = (second / (1 - 0.999**step)).sqrt() + 1e-8
            gradient = first / (1 - 0.9**step) / deviation
        state[name] = weight - rate * gradient
    return state


@pytest.mark.parametrize(
    ("optimizer", "changed"),
    [
        *itertools.product(OPTIMIZERS, [{}, {"loss": "mse", "weight_decay": 0.1}]),
        ("adam", {"batch_norm": False, "activation": "gaussian", "batch_size": "full"}),
        ("adamw", {"initial_scale": 3.0, "batch_norm": False, "loss": "mse", "weight_decay": 0.3}),
        ("sgd", {"initial_range": 0.5, "momentum": 0.7, "activation": "tanh"}),
    ],
)
def test_steps_are_those_of_a_plain_loop(
    tmp_path, toy_data, run_settings, train_run, batches, optimizer, changed
):
    settings = run_settings(
        **{"optimizer": optimizer, "precision": "float64", "steps": 6, **changed},
        snapshots=EVERY_STEP,
    )
    run = train_run(tmp_path, settings)
    assert len(batches) == 6
    state = weights(run, 0)
    moments = {}
    for step, (x, labels) in enumerate(batches, 1):
        gradients, state = plain_gradients(state, x, labels, settings)
        state = plain_update(state, gradients, moments, step, settings)
        assert_close(weights(run, step), state, rtol=1e-9, atol=1e-12)
    before, last = weights(run, 0), weights(run)
    assert all((last[name] - before[name]).abs().max() > 1e-5 for name in gradients)


@pytest.mark.parametrize(
    ("changed", "bounds"),
    [
        ({}, (1 / 4, 1 / 20, 1 / 10)),
        ({"initial_scale": 8.0}, (8 / 4, 8 / 20, 8 / 10)),
        ({"initial_range": 0.3}, (0.3, 0.3, 0.3)),
        ({"initial_range": 0.3, "initial_scale": 0.5}, (0.15, 0.15, 0.15)),
    ],
)
def test_initial_weights_are_uniform_in_their_range(
    tmp_path, run_settings, train_run, changed, bounds
):
    settings = run_settings(width=[400, 100], batch_norm=False, steps=1, **changed)
    state = weights(train_run(tmp_path, settings), 0)
    for l, bound in enumerate(bounds, 1):
        scaled = state[f"linear{l}.weight"].flatten() / bound
        assert 0.97 < scaled.abs().max() <= 1
        # The mean square of U(−1, 1) is 1/3, with a standard error of sqrt(4/45/n).
        assert abs(scaled.square().mean() - 1 / 3) < 5 * (4 / 45 / len(scaled)) ** 0.5
        assert state[f"linear{l}.bias"].abs().max() <= bound


def test_running_statistics_follow_eq_3(tmp_path, run_settings, train_run, batches):
    settings = run_settings(momentum=0.3, precision="float64", steps=4, snapshots=EVERY_STEP)
    run = train_run(tmp_path, settings)
    mean, variance = torch.zeros(8, dtype=torch.float64), torch.ones(8, dtype=torch.float64)
    for step, (x, _) in enumerate(batches):
        h = x @ weights(run, step)["linear1.weight"].T
        mean = 0.7 * mean + 0.3 * h.mean(dim=0)
        variance = 0.7 * variance + 0.3 * h.var(dim=0)
        assert_close(weights(run, step + 1)["norm1.running_mean"], mean)
        assert_close(weights(run, step + 1)["norm1.running_var"], variance)
    assert weights(run)["norm1.num_batches_tracked"] == 4


@pytest.mark.parametrize(
    "changed", [{}, {"batch_norm": False}, {"loss": "mse", "optimizer": "sgd"}]
)
def test_bfloat16_is_float32_as_far_as_it_reaches(tmp_path, run_settings, train_run, changed):
    fine, coarse = (
        weights(train_run(tmp_path / name, run_settings(**changed, precision=name, steps=4)))
        for name in ("float32", "bfloat16")
    )
    for name in ("linear1.weight", "linear2.weight", "linear3.bias"):
        assert coarse[name].dtype == torch.float32
        distance = (coarse[name] - fine[name]).abs().max() / fine[name].abs().max()
        assert 0 < distance < 0.1


def test_float64_is_kept_in_float64(tmp_path, run_settings, train_run):
    run = train_run(tmp_path, run_settings(precision="float64", optimizer="adamw"))
    state = weights(run)
    assert state["linear1.weight"].dtype == state["norm1.running_var"].dtype == torch.float64
    assert not torch.equal(state["linear1.weight"].float().double(), state["linear1.weight"])
    losses = runs.load_history(run)["train_loss"]
    assert (losses != losses.astype("float32")).all()


def test_a_tiny_network_learns(tmp_path, run_settings, train_run):
    run = train_run(tmp_path, run_settings(steps=200))
    history = runs.load_history(run).set_index("step")
    assert history["test_accuracy"][0] < 0.7
    assert history["test_accuracy"][200] > 0.9
    assert history["train_loss"][200] < history["train_loss"][0] / 5


# Batches ------------------------------------------------------------------------------------------


def indices(batch, images):
    """The place of each sample of a batch in the training set, whose images all differ."""
    same = (batch[0][:, None, :] == images[None]).all(dim=2)  # (batch, P)
    assert (same.sum(dim=1) == 1).all()
    return same.int().argmax(dim=1).tolist()


@pytest.fixture
def places(toy_data, batches):
    """The samples of every recorded step, as places in the training set."""
    loaded = prepared.load(toy_data)
    images = prepared.to_unit(loaded.train_images)

    def find():
        results = [indices(batch, images) for batch in batches]
        for chosen, (_, labels) in zip(results, batches, strict=True):
            assert torch.equal(loaded.train_labels[chosen], labels)
        return results

    return find


@pytest.mark.parametrize(("size", "per_epoch"), [(30, 3), (20, 4), (90, 1), (1, 90)])
def test_an_epoch_takes_every_sample_once_and_no_incomplete_batch(
    tmp_path, run_settings, train_run, places, size, per_epoch
):
    settings = run_settings(batch_size=size, steps=2 * per_epoch, batch_norm=False)
    train_run(tmp_path, settings)
    steps = places()
    assert {len(step) for step in steps} == {size}
    first, second = ([*itertools.chain(*steps[i : i + per_epoch])] for i in (0, per_epoch))
    for epoch in (first, second):
        assert len(set(epoch)) == len(epoch) == size * per_epoch <= 90
        assert 90 - len(epoch) < size
    assert first != second
    assert first != sorted(first)


def test_a_full_batch_is_every_sample(tmp_path, run_settings, train_run, places):
    train_run(tmp_path, run_settings(batch_size="full", steps=2))
    assert places() == [[*range(90)]] * 2


def test_batches_follow_from_the_seed_alone(tmp_path, run_settings, train_run, places, batches):
    orders = []
    for name, changed in {
        "one": {},
        "other rate": {"learning_rate": 0.5, "optimizer": "sgd", "width": [3, 3]},
        "other seed": {"seed": 1},
    }.items():
        batches.clear()
        train_run(tmp_path / name, run_settings(**changed))
        orders.append(places())
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


def test_a_smaller_set_of_samples_is_the_stratified_subset(
    tmp_path, toy_data, run_settings, train_run, places
):
    train_run(tmp_path, run_settings(samples=30, batch_size="full", steps=1, seed=4))
    chosen = prepared.subset(prepared.load(toy_data).train_labels, 30, seed=4)
    assert places() == [chosen.tolist()]
    (labels,) = {tuple((chosen % 3).bincount().tolist())}
    assert labels == (10, 10, 10)


def test_images_kept_as_bytes_give_the_same_bits(tmp_path, run_settings, train_run, monkeypatch):
    for precision in ("float32", "float64"):
        settings = run_settings(precision=precision)
        floats = train_run(tmp_path / precision / "floats", settings)
        with monkeypatch.context() as patched:
            patched.setattr(new_runs, "RESIDENT_VALUES", 0)
            read = train_run(tmp_path / precision / "bytes", settings)
        assert bits(read) == bits(floats)


# The same bits ------------------------------------------------------------------------------------


def test_the_same_settings_give_the_same_bits_and_another_seed_others(
    tmp_path, run_settings, train_run
):
    one, same = (train_run(tmp_path / name, run_settings()) for name in ("one", "same"))
    assert bits(one) == bits(same)
    other = weights(train_run(tmp_path / "other", run_settings(seed=1)), 0)
    assert not torch.equal(other["linear1.weight"], weights(one, 0)["linear1.weight"])


def test_global_random_numbers_are_neither_used_nor_drawn(tmp_path, run_settings, train_run):
    one = train_run(tmp_path / "one", run_settings())
    with torch.random.fork_rng(devices=[]):
        torch.rand(7)
        before = torch.get_rng_state()
        assert bits(train_run(tmp_path / "other", run_settings())) == bits(one)
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_measuring_more_often_changes_no_bit_of_the_weights(
    tmp_path, run_settings, train_run, batch_norm
):
    never = {"every_step_until": 0, "per_decade": 0}
    rare = run_settings(evaluate=never, snapshots=never, batch_norm=batch_norm)
    often = {**rare, "evaluate": EVERY_STEP}
    always = {**often, "snapshots": EVERY_STEP}
    results = [train_run(tmp_path / str(i), s) for i, s in enumerate((rare, often, always))]
    assert [len(runs.load_history(run)) for run in results] == [2, 13, 13]
    assert all(equal(weights(run), weights(results[0])) for run in results)
    rows = runs.load_history(results[1]).set_index("step")
    assert rows.loc[[0, 12]].equals(runs.load_history(results[0]).set_index("step"))


def test_the_best_step_is_kept_though_it_is_on_no_schedule(tmp_path, run_settings, train_run):
    settings = run_settings(evaluate=EVERY_STEP, snapshots={"every_step_until": 0, "per_decade": 0})
    run = train_run(tmp_path / "few", settings)
    history = runs.load_history(run).set_index("step")["test_accuracy"]
    best = int(history.idxmax())  # the first of equal ones
    assert best not in (0, 12)
    assert runs.select_steps(run, "best") == [best]
    assert runs.select_steps(run, "all") == [0, best, 12]
    every = train_run(tmp_path / "every", {**settings, "snapshots": EVERY_STEP})
    assert equal(weights(run, "best"), weights(every, best))


def test_every_kept_step_is_evaluated(tmp_path, run_settings, train_run):
    settings = run_settings(
        evaluate={"every_step_until": 0, "per_decade": 0},
        snapshots={"every_step_until": 2, "per_decade": 2},
    )
    run = train_run(tmp_path, settings)
    assert runs.load_history(run)["step"].tolist() == [0, 1, 2, 3, 10, 12]
    assert runs.select_steps(run, "all") == [0, 1, 2, 3, 10, 12]


def test_progress_is_reported_at_evaluated_steps(run_settings, sitting):
    reports = []
    settings = run_settings(evaluate={"every_step_until": 2, "per_decade": 0})
    sitting(settings, progress=lambda *report: reports.append(report))
    assert {(step, steps) for step, steps, _ in reports} >= {(0, 12), (1, 12), (2, 12), (12, 12)}
    assert reports[-1][2].startswith("training accuracy 0.")


# Mistakes -----------------------------------------------------------------------------------------


def diverging(run_settings, **changed):
    return run_settings(
        learning_rate=1e20, optimizer="sgd", loss="mse", batch_norm=False, steps=1000, **changed
    )


def test_a_run_that_diverges_ends_there_and_says_so(tmp_path, run_settings, sitting, caplog):
    every = {"every_step_until": 100, "per_decade": 0}
    assert sitting(diverging(run_settings, evaluate=every, snapshots=every))
    manifest, history = runs.load_manifest(tmp_path / "run"), runs.load_history(tmp_path / "run")
    diverged = manifest["diverged_step"]
    assert 0 < diverged < 100
    assert history["step"].tolist() == list(range(diverged + 1))
    assert history["train_loss"].isna().tolist() == [False] * diverged + [True]
    assert manifest["steps"] == list(range(diverged))
    assert manifest["last_step"] == diverged - 1
    assert runs.load_model(tmp_path / "run", "last")[0].weight.isfinite().all()
    assert f"diverged at step {diverged} of 1000; lower learning_rate (now 1e+20)" in caplog.text


def test_a_loss_that_is_no_number_ends_the_training_before_the_next_evaluation(
    tmp_path, run_settings, sitting, batches
):
    never = {"every_step_until": 0, "per_decade": 0}
    assert sitting(diverging(run_settings, evaluate=never, snapshots=never))
    assert len(batches) < 10
    assert runs.load_manifest(tmp_path / "run")["steps"] == [0]
    history = runs.load_history(tmp_path / "run")
    assert math.isnan(history["train_loss"].iloc[-1])
    assert math.isnan(history["test_accuracy"].iloc[-1])


def test_a_network_that_is_not_finite_from_the_start_is_a_diverged_run(
    tmp_path, run_settings, sitting
):
    assert sitting(run_settings(initial_scale=1e30, batch_norm=False))
    manifest = runs.load_manifest(tmp_path / "run")
    assert (manifest["steps"], manifest["diverged_step"]) == ([0], 0)
    assert runs.load_model(tmp_path / "run", "best")[0].weight.isfinite().all()


def test_a_run_that_does_not_diverge_says_that(tmp_path, run_settings, sitting):
    sitting(run_settings())
    assert runs.load_manifest(tmp_path / "run")["diverged_step"] is None


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "device 'cuda' is not available here: choose one of auto, cpu"),
        ("mps", "device 'mps' is not available here"),
        ("tpu", "device 'tpu' is not available here"),
    ],
)
def test_a_device_that_is_not_there_is_named(
    tmp_path, toy_data, run_settings, monkeypatch, device, message
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    folders = tmp_path / "run", tmp_path / "checkpoints"
    with pytest.raises(NetdynError, match=message):
        train.train(run_settings(), toy_data, *folders, device)
    assert not list(tmp_path.iterdir())


def test_data_that_do_not_fit_the_settings_are_named(tmp_path, toy_data, run_settings):
    folders = tmp_path / "run", tmp_path / "checkpoints"
    with pytest.raises(NetdynError, match=r"a subset of 91 samples: .*at most 90"):
        train.train(run_settings(samples=91), toy_data, *folders, "cpu")
    with pytest.raises(NetdynError, match=r"'?toy'?.*digits"):
        train.train(run_settings(dataset="digits", samples=60), toy_data, *folders, "cpu")
    with pytest.raises(NetdynError, match=r"toy_translated"):
        train.train(run_settings(translated=True), toy_data, *folders, "cpu")
    with pytest.raises(NetdynError, match=r"absent: no such prepared data"):
        train.train(run_settings(), tmp_path / "absent", *folders, "cpu")
    assert not list(tmp_path.iterdir())
