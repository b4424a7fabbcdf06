"""DeLong's standard errors of RPD gradients, against bootstraps and scikit-learn's AUC."""

import math

import pytest
import torch
from oracles import auc_gradient
from torch.testing import assert_close

from netdyn.measures.ranks.errors import gradient_errors, unaligned_deviation
from netdyn.measures.ranks.rpd import rpd_gradient


def example(stream, samples=240, neurons=6, strength=0.6, classes=3):
    labels = torch.randint(classes, (samples,), generator=stream)
    common = torch.randn(samples, 1, generator=stream)
    fields = torch.randn(samples, neurons, generator=stream) + common  # neurons are correlated
    fields += strength * labels.unsqueeze(1) * torch.linspace(-0.2, 1, neurons)
    signs = torch.randn(classes, neurons, generator=stream).sign()
    return fields.double(), labels, signs


@pytest.mark.parametrize("ties", [False, True])
def test_the_gradients_are_those_of_the_area_under_the_curve(stream, ties):
    fields, labels, signs = example(stream, 60)
    fields = (2 * fields).round() if ties else fields
    signs[1, 2] = 0
    measured = gradient_errors(fields, labels, signs)
    assert_close(measured.gradients, auc_gradient(fields, labels, signs).mean(1))
    assert_close(measured.gradients, rpd_gradient(fields, labels, signs).mean(1))
    assert measured.mean == pytest.approx(measured.gradients.mean().item())


@pytest.mark.parametrize("strength", [0.0, 3.0])
def test_errors_are_those_of_a_bootstrap(stream, strength):
    fields, labels, signs = example(stream, strength=strength)
    measured = gradient_errors(fields, labels, signs)
    by_class = [(labels == k).nonzero().flatten() for k in range(3)]
    drawn = []
    for _ in range(150):  # of the same classes
        places = torch.cat(
            [own[torch.randint(len(own), (len(own),), generator=stream)] for own in by_class]
        )
        gradient = rpd_gradient(fields[places], labels[places], signs)
        drawn.append(torch.cat([gradient.mean(1), gradient.mean().view(1)]))
    spread = torch.stack(drawn).std(0)
    assert measured.error == pytest.approx(spread[3].item(), rel=0.2)
    # DeLong takes the samples of all other classes as one group, so its error is no smaller.
    assert (measured.errors > 0.8 * spread[:3]).all()
    if strength == 0:
        assert_close(measured.errors, spread[:3], rtol=0.2, atol=0)


def test_perfect_order_has_no_error_and_signs_only_reverse(stream):
    labels = torch.arange(30) % 3
    fields = labels.unsqueeze(1) + 0.01 * torch.rand(30, 2, generator=stream)
    signs = torch.tensor([[-1, -1], [0, 0], [1, 1]])
    measured = gradient_errors(fields, labels, signs)
    assert_close(measured.gradients, torch.tensor([4.0, 0.0, 4.0], dtype=torch.float64))
    assert_close(measured.errors, torch.zeros(3, dtype=torch.float64))
    fields, labels, signs = example(stream)
    one, other = gradient_errors(fields, labels, signs), gradient_errors(-fields, labels, -signs)
    assert_close(one, other)


def test_classes_without_samples_and_of_one_sample_have_no_error():
    fields = torch.arange(6.0).unsqueeze(1)
    labels = torch.tensor([0, 0, 0, 2, 0, 0])
    measured = gradient_errors(fields, labels, torch.ones(3, 1))
    assert measured.gradients.isnan().tolist() == [False, True, False]
    assert measured.errors.isnan().all()
    assert math.isnan(measured.error)
    assert not math.isnan(measured.mean)


def test_only_the_first_classes_may_be_measured(stream):
    fields, labels, signs = example(stream)
    some, every = gradient_errors(fields, labels, signs, 2), gradient_errors(fields, labels, signs)
    assert_close(some.gradients, every.gradients[:2])
    assert_close(some.errors, every.errors[:2])


def test_without_alignment_a_single_neuron_deviates_by_the_formula(stream):
    labels = torch.arange(100) < 20
    fields = torch.rand(100, 3000, generator=stream)
    gradients = rpd_gradient(fields, labels, torch.ones(2, 3000))
    assert gradients[1].std().item() == pytest.approx(unaligned_deviation(100, 20), rel=0.05)
    # The exact deviation has (P + 1)/P in place of 1.
    assert unaligned_deviation(100, 20) == pytest.approx(math.sqrt(12 * 0.8 / 20))
    assert math.isnan(unaligned_deviation(100, 0))
