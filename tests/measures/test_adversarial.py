import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.measures.adversarial import deepfool
from netdyn.networks.elementwise import ACTIVATIONS
from netdyn.networks.lmap import linear_map
from netdyn.networks.reading import logits

WIDTHS = (12, 9, 8, 4)


@pytest.fixture
def x(stream):
    return torch.rand(40, WIDTHS[0], generator=stream, dtype=torch.float64)


@pytest.fixture
def make_classifier(make_network, x):
    """Build a network that does not predict the same class for all samples."""

    def make(widths, activation="relu", batch_norm=True):
        model = make_network(widths, activation, batch_norm)
        outputs = logits(model, x)
        model.get_submodule(f"linear{len(widths) - 1}").bias.data -= outputs.mean(dim=0)
        assert len(set(logits(model, x).argmax(dim=1).tolist())) > 1
        return model

    return make


def naive_deepfool(model, x, overshoot, iterations):
    """Algorithm 2 for one sample, class by class."""
    model = model.eval()
    label = model(x[None])[0].argmax().item()
    total = torch.zeros_like(x)
    for _ in range(iterations):
        position = x + (1 + overshoot) * total
        outputs = model(position[None])[0].detach()
        if outputs.argmax() != label:
            break
        gradients = torch.autograd.functional.jacobian(lambda z: model(z[None])[0], position)
        steps = []
        for k in range(len(outputs)):
            if k != label:
                w, f = gradients[k] - gradients[label], outputs[k] - outputs[label]
                steps.append((abs(f) / w.norm(), abs(f) / w.norm() ** 2 * w))
        total = total + min(steps, key=lambda step: step[0])[1]
    return (1 + overshoot) * total


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("widths", [(12, 4), WIDTHS])
@pytest.mark.parametrize("longest_step", [math.inf, 0.01])
def test_of_a_linear_network_it_is_the_distance_to_the_nearest_boundary(
    make_classifier, x, widths, batch_norm, longest_step
):
    model = make_classifier(widths, "identity", batch_norm)
    weight, bias = linear_map(model, 0)
    outputs = x @ weight.T + bias  # (P, K)
    prediction = outputs.argmax(dim=1)
    gaps = outputs.gather(1, prediction[:, None]) - outputs
    lengths = (weight[prediction][:, None] - weight).norm(dim=2)  # (P, K)
    distances = (gaps / lengths).nan_to_num(nan=torch.inf)  # 0/0 for the prediction itself
    nearest, other = distances.min(dim=1)
    flips = deepfool(model, x, overshoot=0.02, iterations=3000, longest_step=longest_step)
    assert torch.equal(flips.prediction, prediction)
    # Short steps have the same direction, but test for a flip before the boundary is reached.
    assert (flips.distance <= 1.02 * nearest + 1e-9).all()
    assert (flips.distance >= nearest).all()
    if longest_step == math.inf:
        assert_close(flips.distance, 1.02 * nearest)
        # Beyond the nearest boundary another one may lie within the overshoot.
        assert (flips.flipped_prediction == other).double().mean() > 0.9
    directions = (weight[other] - weight[prediction]) / lengths.gather(1, other[:, None])
    assert_close(flips.perturbation, flips.distance[:, None] * directions)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [True, False])
def test_every_flip_flips_and_nothing_else_has_a_distance(
    make_classifier, x, activation, batch_norm
):
    model = make_classifier(WIDTHS, activation, batch_norm)
    flips = deepfool(model, x)
    result = flips.distance.isfinite()
    assert result.double().mean() > 0.8
    assert torch.equal(flips.distance[result], flips.perturbation[result].norm(dim=1))
    model.eval()
    for sample, perturbation, before, after, is_found in zip(
        x, flips.perturbation, flips.prediction, flips.flipped_prediction, result, strict=True
    ):
        assert model(sample[None]).argmax() == before
        assert model((sample + perturbation)[None]).argmax() == after
        assert (before != after) == is_found


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_it_is_algorithm_2(make_classifier, x, activation):
    model = make_classifier(WIDTHS, activation)
    for overshoot, iterations in ((0.02, 50), (0.3, 50), (0.0, 2)):
        flips = deepfool(model, x, overshoot, iterations)
        expected = [naive_deepfool(model, sample, overshoot, iterations) for sample in x]
        assert_close(flips.perturbation, torch.stack(expected), rtol=1e-6, atol=1e-9)


def test_short_steps_stop_where_the_logits_bend():
    """f_1 − f_0 = −1 + x/10 + 10·max(x − 1, 0): zero at 11/10.1, linearised at x = 0: 10."""
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    model[0].weight.data, model[0].bias.data = torch.ones(2, 1).double(), -torch.tensor([0.0, 1.0])
    model[2].weight.data = torch.tensor([[0.0, 0.0], [0.1, 10.0]])
    model[2].bias.data = torch.tensor([0.0, -1.0])
    model, x = model.double(), torch.full((1, 1), 1e-9, dtype=torch.float64)
    assert deepfool(model, x).distance.item() == pytest.approx(1.02 * 10)
    short = deepfool(model, x, longest_step=0.03).distance.item()
    assert 11 / 10.1 < short < 11 / 10.1 + 1.02 * 0.03
    assert deepfool(model, x, iterations=30, longest_step=0.03).distance.isnan()


def test_the_boundary_lies_between_the_sample_and_its_flip(make_classifier, x):
    """On a network that is linear around each sample: 0.97 of the way is not enough."""
    model = make_classifier((12, 4), batch_norm=False)
    flips = deepfool(model, x)
    most = logits(model, x + 0.97 * flips.perturbation).argmax(dim=1)
    assert torch.equal(most, flips.prediction)


def test_samples_do_not_meet(make_classifier, x):
    model = make_classifier(WIDTHS)
    flips = deepfool(model, x)
    for chunk in (1, 7, 1000):
        assert_close(deepfool(model, x, chunk=chunk).perturbation, flips.perturbation)
    assert_close(deepfool(model, x[5:6]).perturbation, flips.perturbation[5:6])
    assert deepfool(model, x[:0]).distance.shape == (0,)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_left_alone_and_taken_in_evaluation_mode(
    make_classifier, unchanged, x, training
):
    model = make_classifier(WIDTHS).train(training)
    expected = deepfool(make_classifier(WIDTHS).eval(), x)
    with unchanged(model):
        assert torch.equal(deepfool(model, x).perturbation, expected.perturbation)
        with torch.no_grad():
            assert torch.equal(deepfool(model, x).perturbation, expected.perturbation)
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not expected.perturbation.requires_grad


def test_bytes_nesting_and_activations_in_place(stream):
    def network(inplace):
        torch.manual_seed(0)
        hidden = nn.Sequential(nn.Linear(12, 9), nn.ReLU(inplace=inplace))
        return nn.Sequential(nn.Flatten(), hidden, nn.Linear(9, 3))

    pixels = torch.randint(256, (20, 3, 4), generator=stream, dtype=torch.uint8)
    expected = deepfool(network(False), pixels.flatten(1).float() / 255)
    assert torch.equal(deepfool(network(True), pixels).perturbation, expected.perturbation)
    assert expected.perturbation.dtype == torch.float32
    assert expected.distance.isfinite().double().mean() > 0.5


def test_where_no_direction_leads_out_there_is_no_distance(make_classifier, x):
    model = make_classifier(WIDTHS, batch_norm=False)
    model.linear1.bias.data.fill_(-100)  # every neuron of the first layer is silent
    flips = deepfool(model, x)
    assert flips.distance.isnan().all()
    assert not flips.perturbation.any()
    assert torch.equal(flips.prediction, flips.flipped_prediction)
    model.linear3.bias.data.fill_(torch.nan)
    assert deepfool(model, x).distance.isnan().all()


def test_a_network_that_overflows_has_not_flipped():
    """f_1 − f_0 = −1 + x/10 rises above 0 at 10, where f_2 is beyond single precision."""
    model = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3))
    model[0].weight.data, model[0].bias.data = torch.ones(2, 1), torch.tensor([0.0, -5.0])
    model[2].weight.data = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, -1e38]])
    model[2].bias.data = torch.tensor([0.0, -1.0, -1e3])
    x = torch.full((1, 1), 1e-3)
    assert deepfool(model, x).distance.isnan()
    model[2].weight.data[2, 1] = -1e37
    assert deepfool(model, x).distance.item() == pytest.approx(10.2, rel=1e-3)


def test_a_flip_that_would_take_more_steps_has_no_distance(make_classifier, x):
    model = make_classifier(WIDTHS, "tanh")
    one, many = deepfool(model, x, iterations=1), deepfool(model, x)
    assert one.distance.isnan().any()
    early = one.distance.isfinite()
    assert_close(one.distance[early], many.distance[early])
    assert many.distance.isfinite().sum() > early.sum()


def test_one_output_flips_where_it_changes_its_sign(x):
    model = nn.Sequential(nn.Linear(12, 1)).double()
    z, weight = model(x.double()).detach().squeeze(1), model[0].weight.detach()
    assert_close(deepfool(model, x.double()).distance, 1.02 * z.abs() / weight.norm())


def test_mistakes_are_named(make_classifier, x):
    model = make_classifier(WIDTHS)
    for changed in ({"overshoot": -0.1}, {"iterations": 0}, {"longest_step": 0.0}):
        with pytest.raises(NetdynError, match="give at least 0, at least 1, and more than 0"):
            deepfool(model, x, **changed)
