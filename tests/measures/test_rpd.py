import oracles
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from netdyn.errors import NetdynError
from netdyn.measures.ranks import neuron_sums, rank_sums, rpd
from netdyn.measures.ranks.rpd import rank_probability, rank_statistics, rpd_gradient

EXACT = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def layer_of_few_values(draw, classes=3):
    """Small fields with many ties, dead neurons and zero signs; every class has a sample."""
    samples = draw(st.integers(classes, 12))
    neurons = draw(st.integers(1, 3))

    def table(rows, low, high):
        row = st.lists(st.integers(low, high), min_size=neurons, max_size=neurons)
        return torch.tensor(draw(st.lists(row, min_size=rows, max_size=rows)))

    rest = st.lists(
        st.integers(0, classes - 1), min_size=samples - classes, max_size=samples - classes
    )
    labels = torch.tensor([*range(classes), *draw(rest)])
    return table(samples, -2, 2).double(), labels, table(classes, -1, 1).double()


def layer(stream, samples=60, neurons=5, classes=4, dtype=torch.float64):
    fields = torch.randn(samples, neurons, generator=stream, dtype=dtype)
    labels = torch.randint(classes, (samples,), generator=stream)
    signs = torch.randn(classes, neurons, generator=stream, dtype=dtype)
    return fields, labels, signs


@EXACT
@given(layer_of_few_values(), st.integers(1, 17))
def test_rank_probability_with_ties_follows_the_definition(data, bins):
    assert_close(rank_probability(*data, bins), oracles.rank_probability(*data, bins))


@EXACT
@given(layer_of_few_values())
def test_gradient_with_ties_is_mean_rank_and_auc(data):
    assert_close(rpd_gradient(*data), oracles.mean_rank_gradient(*data))
    assert_close(rpd_gradient(*data), oracles.auc_gradient(*data))


@pytest.mark.parametrize("bins", [1, 7, 60, 100, 128])
def test_rank_probability_follows_the_definition(stream, bins):
    data = layer(stream)
    assert_close(rank_probability(*data, bins), oracles.rank_probability(*data, bins))


def test_gradient_follows_the_definition(stream):
    data = layer(stream)
    assert_close(rpd_gradient(*data), oracles.mean_rank_gradient(*data))
    assert_close(rpd_gradient(*data), oracles.auc_gradient(*data))


def test_neurons_are_independent_of_how_many_are_held_at_a_time(stream, monkeypatch):
    data = layer(stream)
    together = rank_probability(*data), rpd_gradient(*data)
    for held, neurons, samples, ordered in [(120, 64, 256, 60), (240, 3, 7, 120), (10, 1, 1, 1)]:
        monkeypatch.setattr(rank_sums, "FIELDS_AT_A_TIME", held)
        monkeypatch.setattr(rank_sums, "NEURONS_AT_A_TIME", neurons)
        monkeypatch.setattr(rank_sums, "SAMPLES_AT_A_TIME", samples)
        monkeypatch.setattr(rank_sums, "SORTED_AT_A_TIME", ordered)
        assert_close((rank_probability(*data), rpd_gradient(*data)), together)


# 101 or 211 samples: no number of bins divides them.
FIELDS = {
    "untied": lambda h: h,
    "few": lambda h: torch.where(h.abs() < 0.1, h.sign() * 0.0, h),  # zeros of either sign
    "half": lambda h: h.relu(),
    "integer": lambda h: h.mul(3).round(),
    "same grid point": lambda h: torch.where(torch.arange(h.shape[1]) % 2 == 0, h, 1 + h * 1e-6),
    "one far away": lambda h: torch.cat([h[:1] * 1e30, h[1:] * 1e-6]),
    "infinite": lambda h: torch.where(h > 1, torch.inf, torch.where(h < -1, -torch.inf, h)),
    "tiny": lambda h: h * 1e-42,
    "huge": lambda h: h * 2e37,
}


def rank_layer(stream, kind, dtype, samples=211, neurons=37, classes=5):
    fields, labels, signs = layer(stream, samples, neurons, classes, dtype)
    if kind != "infinite":  # the oracle multiplies by the sign
        signs = signs.where(signs.abs() > 0.2, 0)
    return FIELDS[kind](fields), labels, signs


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("bins", [7, 100, 150])
def test_every_kind_of_fields_follows_the_definition(stream, kind, dtype, bins):
    fields, labels, signs = rank_layer(stream, kind, dtype, samples=101, neurons=3)
    density, gradient = rank_statistics(fields, labels, signs, bins)
    assert density.dtype == gradient.dtype == dtype
    wide = (fields.double(), labels, signs)
    assert_close(density.double(), oracles.rank_probability(*wide, bins), rtol=0, atol=1e-5)
    assert_close(gradient.double(), oracles.mean_rank_gradient(*wide), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("bins", [7, 100])
def test_together_alone_and_by_torch_are_the_same(stream, kind, dtype, bins, monkeypatch):
    data = rank_layer(stream, kind, dtype)
    density, gradient = rank_statistics(*data, bins)
    assert torch.equal(density, rank_probability(*data, bins))
    assert torch.equal(gradient, rpd_gradient(*data))
    monkeypatch.setattr(rpd, "sums_by_numpy", rank_sums.sums_by_torch)  # as on other devices
    assert_close(rank_probability(*data, bins), density)
    assert torch.equal(rpd_gradient(*data), gradient)


@pytest.mark.parametrize("kind", FIELDS)
def test_threads_and_order_of_the_samples_change_no_bit(stream, kind, monkeypatch):
    fields, labels, signs = rank_layer(stream, kind, torch.float32)
    shuffled = torch.randperm(len(fields), generator=stream)
    monkeypatch.setattr(rank_sums, "SORTED_AT_A_TIME", 1000)  # several neurons, and several times
    for neurons in (1, 4, 64):
        monkeypatch.setattr(rank_sums, "NEURONS_AT_A_TIME", neurons)
        monkeypatch.setattr(rank_sums, "FIELDS_AT_A_TIME", neurons * len(fields))
        result = []
        for threads in (1, 2, 5):
            monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
            result.append(rank_statistics(fields, labels, signs, 100))
            result.append(rank_statistics(fields[shuffled], labels[shuffled], signs, 100))
        for density, gradient in result:
            assert torch.equal(density, result[0].rpd)
            assert torch.equal(gradient, result[0].gradient)


def test_more_samples_than_a_segment_holds(stream, monkeypatch):
    data = rank_layer(stream, "half", torch.float64)
    together = rank_statistics(*data, 3)
    monkeypatch.setattr(neuron_sums, "LONGEST", 8)
    assert torch.equal(rank_statistics(*data, 3).gradient, together.gradient)
    assert_close(rank_statistics(*data, 3), together)


def test_many_classes_follow_the_definition(stream):
    data = layer(stream, samples=90, classes=70)
    data[1][:70] = torch.arange(70)
    density, gradient = rank_statistics(*data, 11)
    assert_close(density, oracles.rank_probability(*data, 11))
    assert_close(gradient, oracles.mean_rank_gradient(*data))


def test_single_precision_keeps_its_type_and_the_mean_of_one(stream):
    fields, labels, signs = layer(stream, samples=997, neurons=64, dtype=torch.float32)
    density = rank_probability(fields.round(decimals=1), labels, signs, 100)
    assert density.dtype == torch.float32
    assert_close(density.mean(dim=1), torch.ones(4), rtol=0, atol=1e-6)
    assert rpd_gradient(fields, labels, signs).dtype == torch.float32


def test_half_precision_is_ranked_by_its_own_values(stream):
    fields, labels, signs = layer(stream, dtype=torch.float32)
    coarse = fields.bfloat16()
    exact = rank_probability(coarse.float(), labels, signs)
    assert torch.equal(rank_probability(coarse, labels, signs), exact)


def test_order_of_the_samples_does_not_matter(stream):
    fields, labels, signs = layer(stream)
    fields = fields.round()
    shuffled = torch.randperm(len(fields), generator=stream)
    assert torch.equal(
        rank_probability(fields[shuffled], labels[shuffled], signs),
        rank_probability(fields, labels, signs),
    )
    assert torch.equal(
        rpd_gradient(fields[shuffled], labels[shuffled], signs),
        rpd_gradient(fields, labels, signs),
    )


def test_monotonic_change_of_the_fields_does_not_matter(stream):
    fields, labels, signs = layer(stream)
    assert torch.equal(
        rank_probability(fields.exp() + 3, labels, signs), rank_probability(fields, labels, signs)
    )


@pytest.mark.parametrize("bins", [7, 100])
def test_constant_fields_and_zero_signs_are_exactly_flat(stream, bins):
    fields, labels, signs = layer(stream)
    for data in [(torch.full_like(fields, 0.3), labels, signs), (fields, labels, 0 * signs)]:
        assert torch.equal(rank_probability(*data, bins), torch.ones(4, bins, dtype=torch.float64))
        assert torch.equal(rpd_gradient(*data), torch.zeros(4, 5, dtype=torch.float64))


def test_zeros_of_either_sign_are_tied():
    fields = torch.tensor([[0.0], [-0.0], [0.0], [-0.0]])
    labels, signs = torch.tensor([0, 1, 1, 0]), torch.ones(2, 1)
    assert torch.equal(rank_probability(fields, labels, signs, 8), torch.ones(2, 8))
    assert torch.equal(rpd_gradient(fields, labels, signs), torch.zeros(2, 1))


def test_half_dead_neuron_by_hand():
    # Cells of the top two: [0, 1/4], [1/4, 1/2]; the tied two share [1/2, 1].
    fields = torch.tensor([[3.0], [1.0], [0.0], [0.0]])
    labels, signs = torch.tensor([0, 1, 0, 1]), torch.ones(2, 1)
    density = rank_probability(fields, labels, signs, 4)
    assert_close(density, torch.tensor([[2.0, 0.0, 1.0, 1.0], [0.0, 2.0, 1.0, 1.0]]))
    assert_close(rpd_gradient(fields, labels, signs), torch.tensor([[0.75], [-0.75]]))


def test_a_negative_sign_turns_the_distribution_round(stream):
    fields, labels, signs = layer(stream)
    fields = fields.round(decimals=1)
    flipped = rank_probability(fields, labels, -signs)
    assert_close(flipped, rank_probability(fields, labels, signs).flip(1))
    assert_close(rpd_gradient(fields, labels, -signs), -rpd_gradient(fields, labels, signs))
    assert_close(rank_probability(-fields, labels, -signs), flipped.flip(1))


@pytest.mark.parametrize("bins", [3, 7, 64, 101, 1000])
def test_no_number_of_bins_leaves_a_comb(bins):
    # Classes in turn: within one round of ten samples the order carries no information.
    samples = 1000
    labels = torch.arange(samples) % 10
    fields = torch.arange(samples, dtype=torch.float64).div(10, rounding_mode="floor").unsqueeze(1)
    density = rank_probability(fields, labels, torch.ones(10, 1), bins)
    assert_close(density, torch.ones_like(density))


def test_perfect_alignment_of_ten_equal_classes():
    labels = torch.arange(10).repeat_interleave(100)
    ranks = torch.arange(1000, dtype=torch.float64)
    fields = torch.stack([ranks + 1000 * (labels == k) for k in range(10)], dim=1)
    signs = torch.ones(10, 10)
    assert_close(rpd_gradient(fields, labels, signs).diagonal(), torch.full((10,), 5.4).double())
    alone = rank_probability(fields[:, :1], labels, signs[:, :1], 20)[0]
    assert_close(alone, torch.tensor([10.0] * 2 + [0.0] * 18).double())


def test_a_single_sample_on_top_reaches_the_bound():
    fields = torch.arange(5000.0).unsqueeze(1)
    labels = torch.zeros(5000, dtype=torch.long)
    labels[-1] = 1
    top = rpd_gradient(fields, labels, torch.ones(2, 1))[1, 0].item()
    assert top == pytest.approx(6 * (1 - 1 / 5000), rel=1e-6)


def test_gradient_is_minus_the_slope_of_the_finely_binned_density(stream):
    fields, labels, signs = layer(stream, samples=40)
    fields = fields.round(decimals=1)
    bins = 40_000
    density = rank_probability(fields, labels, signs, bins)
    r = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins - 0.5
    slope = density @ r / (r @ r)
    assert_close(rpd_gradient(fields, labels, signs).mean(dim=1), -slope, rtol=1e-6, atol=1e-6)


def test_isotropic_fields_have_no_gradient(stream):
    fields, labels, signs = layer(stream, samples=2000, neurons=200, classes=2)
    # A mean rank of n of P samples has variance (1 − n/P)/(12 n); 400 independent ones.
    sigma = 12 * (0.5 / (12 * 1000) / 200) ** 0.5
    assert rpd_gradient(fields, labels, signs).mean(dim=1).abs().max() < 5 * sigma


def test_one_sample(stream):
    data = torch.randn(1, 3, generator=stream), torch.zeros(1, dtype=torch.long), torch.ones(1, 3)
    assert torch.equal(rank_probability(*data, 4), torch.ones(1, 4))
    assert torch.equal(rpd_gradient(*data), torch.zeros(1, 3))


def test_infinite_fields_rank_first_and_last():
    fields = torch.tensor([[float("inf")], [0.0], [-float("inf")], [float("inf")]])
    labels, signs = torch.tensor([0, 1, 1, 0]), torch.ones(2, 1)
    assert_close(rank_probability(fields, labels, signs, 2), torch.tensor([[2.0, 0.0], [0.0, 2.0]]))


def test_a_class_without_samples_is_nan_and_disturbs_no_other(stream):
    fields, labels, signs = layer(stream, classes=3)
    more = torch.cat([signs, signs[:1]])
    for measure in (rank_probability, rpd_gradient):
        measured = measure(fields, labels, more)
        assert measured[3].isnan().all()
        assert torch.equal(measured[:3], measure(fields, labels, signs))


def test_inputs_are_left_alone(stream):
    # One neuron: its transpose shares the memory of the user's tensor.
    fields, labels, signs = layer(stream, neurons=1)
    before = fields.clone()
    rank_probability(fields, labels, signs)
    rpd_gradient(fields.requires_grad_(), labels, signs)
    assert torch.equal(fields, before)


@pytest.mark.parametrize("measure", [rank_probability, rpd_gradient, rank_statistics])
def test_mistakes_are_named(stream, measure):
    fields, labels, signs = layer(stream)
    diverged = fields.clone()
    diverged[3, 2] = torch.nan
    with pytest.raises(NetdynError, match="local fields contain NaN: the network diverged"):
        measure(diverged, labels, signs)
    with pytest.raises(NetdynError, match="signs contain NaN"):
        measure(fields, labels, signs * torch.nan)
    with pytest.raises(NetdynError, match="labels run from 1 to 4"):
        measure(fields, labels.clamp(min=1).index_fill(0, torch.tensor([0]), 4), signs)
    with pytest.raises(NetdynError, match="labels run from -1"):
        measure(fields, labels - 1, signs)
    with pytest.raises(NetdynError, match="one label per sample"):
        measure(fields, labels[:-1], signs)
    with pytest.raises(NetdynError, match="one label per sample"):
        measure(fields, labels.double(), signs)
    with pytest.raises(NetdynError, match="signs of shape"):
        measure(fields, labels, signs.T)
    with pytest.raises(NetdynError, match="local fields of shape"):
        measure(fields[0], labels, signs)


def test_no_bins_are_refused(stream):
    with pytest.raises(NetdynError, match="bins 0"):
        rank_probability(*layer(stream), bins=0)
    with pytest.raises(NetdynError, match="bins 0"):
        rank_statistics(*layer(stream), bins=0)
