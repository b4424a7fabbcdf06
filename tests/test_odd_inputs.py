"""Every public function takes what can be meant in one way only, and refuses the rest in a line."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
import torch
from oracles import cells, mean_rank_gradient, projected, rank_probability
from public_calls import CALLS, same_bytes, subject, tensors
from torch import nn

import netdyn
from netdyn._public import NAMES

OF_SAMPLES = {"MLP", "find_basins", "local_fields", "logits", "read", "sample_noise_correct"}
OF_SAMPLES |= {"Monitor", "weight_noise_correct"}
OF_LABELS = {"find_basins", "rank_probability", "rank_statistics", "rpd_gradient"}
OF_LABELS |= {"Monitor", "sample_noise_correct", "weight_noise_correct"}
OF_FIELDS = {"rank_probability", "rank_statistics", "rpd_gradient"}
OF_NO_NUMBERS = {"NetdynError", "linear_map", "linear_maps", "load_model", "plot", "prune"}


def test_every_public_name_is_given_odd_inputs():
    assert OF_SAMPLES | OF_LABELS | OF_FIELDS | OF_NO_NUMBERS | {"basin_size"} == NAMES.keys()


@pytest.fixture(scope="module")
def plain():
    return {name: tensors(CALLS[name](subject())) for name in {*NAMES} - OF_NO_NUMBERS}


def assert_refused(name, of, pattern=""):
    with pytest.raises(netdyn.NetdynError, match=pattern) as error:
        CALLS[name](of)
    assert "\n" not in str(error.value), error.value
    assert len(str(error.value)) < 300


def reversed_twice(values):
    return values.numpy()[::-1].copy()[::-1]


def read_only(values):
    array = values.numpy().copy()
    array.flags.writeable = False
    return array


SAME_NUMBERS = {
    "numpy": lambda values: values.numpy(),
    "of columns": lambda values: np.asfortranarray(values.numpy()),
    "descending": reversed_twice,
    "read-only": read_only,
    "big-endian": lambda values: values.numpy().astype(values.numpy().dtype.newbyteorder(">")),
    "list": lambda values: values.tolist(),
    "list of tensors": lambda values: [*values],
    "list of arrays": lambda values: [row.numpy() for row in values],
    "a view": lambda values: torch.stack([values, values], -1)[..., 0],
    "parameter": lambda values: nn.Parameter(values, values.is_floating_point()),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [*SAME_NUMBERS])
def test_arrays_and_lists_are_taken_as_tensors_are(kind, plain):
    of, given = subject(), SAME_NUMBERS[kind]
    for name, field in (
        *(("logits", "x"), ("sample_noise_correct", "x"), ("sample_noise_correct", "y")),
        *(("weight_noise_correct", "x"), ("weight_noise_correct", "y"), ("find_basins", "x")),
        *((name, field) for name in OF_FIELDS for field in ("fields", "y", "signs")),
        *(("read", "x"), ("local_fields", "x"), ("MLP", "x"), ("basin_size", "shares")),
    ):
        value = getattr(of, field)
        changed = given(value)
        if field == "shares":
            seen = [torch.tensor(netdyn.basin_size([0, 1, 2], given(value.mean(dim=1)))).double()]
        elif (name, field) == ("find_basins", "x"):
            seen = tensors(netdyn.find_basins(of.model, changed, of.y, "weight", 2, 0))
            assert all(map(same_bytes, seen, tensors(
                netdyn.find_basins(of.model, of.x, of.y, "weight", 2, 0))))  # fmt: skip
            continue
        else:
            seen = tensors(CALLS[name](of._replace(**{field: changed})))
        if name == "read":  # `samples` returns the samples in the type that they were given in
            seen[1] = seen[1].to(torch.float32)
        expected = plain[name]
        if kind == "list" and field == "fields":  # Python's numbers are float64
            seen = [tensor.float() for tensor in seen]
        for one, other in zip(seen, expected, strict=True):
            # Products of a matrix that lies in columns are rounded otherwise.
            exact = {} if kind == "of columns" else {"rtol": 0, "atol": 0}
            torch.testing.assert_close(one.detach(), other, **exact, msg=f"{name}, {field}")


def test_tables_of_pandas_are_taken(plain):
    of = subject()
    x, y = pd.DataFrame(of.x.numpy()), pd.Series(of.y.numpy(), dtype="int64")
    assert all(map(same_bytes, tensors(CALLS["logits"](of._replace(x=x))), plain["logits"]))
    for name in ("rpd_gradient", "sample_noise_correct"):
        assert all(map(same_bytes, tensors(CALLS[name](of._replace(y=y))), plain[name]))


@pytest.mark.parametrize(
    "dtype",
    [torch.int8, torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint32, torch.uint64],
)
def test_labels_of_every_integer_type_are_the_same(dtype, plain):
    of = subject()._replace(y=subject().y.to(dtype))
    for name in OF_LABELS - {"find_basins"}:
        assert all(map(same_bytes, tensors(CALLS[name](of)), plain[name])), name


def test_bools_are_the_classes_0_and_1(stream):
    of = subject()
    y = of.y == 1
    for given in (y, y.numpy(), y.tolist()):
        for name in OF_LABELS - {"find_basins"}:
            seen, meant = (
                tensors(CALLS[name](of._replace(y=labels))) for labels in (given, y.long())
            )
            assert all(torch.equal(*pair) or pair[0].isnan().any() for pair in zip(
                seen, meant, strict=True))  # fmt: skip
        index = netdyn.find_basins(of.model, of.x, given, "sample", 1, 0, ("class",))
        assert index.groups["class"].index.tolist() == [0, 1]


REFUSED_LABELS = {
    "floats": (lambda y: y.float(), r"one label per sample, an integer, by y\.long\(\)"),
    "a column": (lambda y: y.unsqueeze(1), r"an integer, by y\.squeeze\(1\)"),
    "one-hot": (lambda y: nn.functional.one_hot(y), r"by y\.argmax\(1\) if"),
    "too few": (lambda y: y[:-1], "one label per sample"),
    "one number": (lambda y: y[0], "one label per sample"),
    "too large": (lambda y: y + 1, r"labels run from 1 to 3: .* the classes 0 … 2"),
    "negative": (lambda y: y - 1, r"labels run from -1 to 1: .* the classes 0 … 2"),
    "huge": (lambda y: np.full(len(y), 2**64 - 1, np.uint64), "labels run from"),
    "NaN": (lambda y: np.where(y == 0, np.nan, y), "an integer"),
    "strings": (lambda y: [str(k) for k in y.tolist()], "labels of <U1: give numbers"),
    "objects": (lambda y: np.array([*y.tolist()[:-1], None]), "labels of object: give numbers"),
    "complex": (lambda y: y.to(torch.complex64), "labels of torch.complex64: give real numbers"),
    "masked": (lambda y: np.ma.masked_equal(y.numpy(), 1), "with masked values"),
    "nothing": (lambda y: None, "labels are a NoneType: give a tensor, a numpy array or a list"),
    "a mapping": (lambda y: dict(enumerate(y.tolist())), "labels are a dict"),
    "on meta": (lambda y: y.to("meta"), "labels are on the device meta"),
}


@pytest.mark.parametrize("kind", [*REFUSED_LABELS])
def test_other_labels_are_refused_in_a_line(kind):
    of = subject()
    change, pattern = REFUSED_LABELS[kind]
    for name in OF_LABELS - {"find_basins"}:
        assert_refused(name, of._replace(y=change(of.y)), pattern)
    with pytest.raises(netdyn.NetdynError, match=pattern):
        netdyn.find_basins(of.model, of.x, change(of.y), "sample", 1, 0)


REFUSED_SAMPLES = {
    "integers": (lambda x: x.long(), "int64: give floats, or bytes"),
    "bools": (lambda x: (x > 0.5).numpy(), "bool: give floats, or bytes"),
    "complex": (lambda x: x.to(torch.complex64), "give real numbers"),
    "one sample": (lambda x: x[0], "the network expects 6 values a sample"),
    "one number": (lambda x: x[0, 0], "the network expects 6 values a sample"),
    "too wide": (lambda x: torch.cat([x, x], dim=1), "the network expects 6 values a sample"),
    "ragged": (lambda x: [*x.tolist()[:-1], [0.5]], "each row of the same length"),
    "ragged tensors": (lambda x: [*x[:-1], x[0, :2]], "tensors that differ in shape"),
    "strings": (lambda x: np.array([["0.5"] * 6] * len(x)), "samples of <U3: give numbers"),
    "dates": (lambda x: np.zeros((len(x), 6), "datetime64[s]"), "give numbers"),
    "masked": (lambda x: np.ma.masked_greater(x.numpy(), 0.5), "with masked values"),
    "sparse": (lambda x: x.to_sparse(), "sparse, nested or quantised: give a dense tensor"),
    "on meta": (lambda x: x.to("meta"), "on the device meta: give a dense tensor"),
    "a data set": (lambda x: torch.utils.data.TensorDataset(x), "samples are a TensorDataset"),
    "nothing": (lambda x: None, "samples are a NoneType"),
    "a string": (lambda x: "x", "samples are a str"),
}


@pytest.mark.parametrize("kind", [*REFUSED_SAMPLES])
def test_other_samples_are_refused_in_a_line(kind):
    of = subject()
    change, pattern = REFUSED_SAMPLES[kind]
    for name in OF_SAMPLES:
        assert_refused(name, of._replace(x=change(of.x)), pattern)


REFUSED_FIELDS = {
    "one neuron without its axis": (lambda of: of._replace(fields=of.fields[:, 0]), "local fields"),
    "no samples": (lambda of: of._replace(fields=of.fields[:0], y=of.y[:0]), "at least one"),
    "no neurons": (lambda of: of._replace(fields=of.fields[:, :0]), "at least one"),
    "NaN": (lambda of: of._replace(fields=of.fields * torch.nan), "local fields contain NaN"),
    "complex fields": (lambda of: of._replace(fields=of.fields + 1j), "give real numbers"),
    "no fields": (lambda of: of._replace(fields=None), "local fields are a NoneType"),
    "a list of all layers": (
        lambda of: of._replace(fields=[of.fields, of.fields[:, :3]]), "tensors that differ",
    ),
    "signs of another layer": (lambda of: of._replace(signs=of.signs[:, 1:]), "signs of shape"),
    "signs and biases": (lambda of: of._replace(signs=(of.signs, of.signs[:, 0])), "signs are a"),
    "bools as signs": (lambda of: of._replace(signs=of.signs > 0), "signs of shape .* torch.bool"),
    "NaN as signs": (lambda of: of._replace(signs=of.signs * torch.nan), "signs contain NaN"),
    "words as signs": (lambda of: of._replace(signs=[["+"] * 40] * 3), "signs of <U1"),
}  # fmt: skip


@pytest.mark.parametrize("kind", [*REFUSED_FIELDS])
def test_other_fields_and_signs_are_refused_in_a_line(kind):
    change, pattern = REFUSED_FIELDS[kind]
    for name in OF_FIELDS:
        assert_refused(name, change(subject()), pattern)


def test_signs_and_fields_of_whole_numbers_are_exact():
    of = subject()
    # Neighbours that float32 does not tell apart.
    fields = torch.arange(12).unsqueeze(1).expand(12, 40) + 2**25
    signs = of.signs.sign()
    for kind in (torch.int8, torch.int64):
        seen = netdyn.rank_statistics(fields, of.y, signs.to(kind), 7)
        assert seen.gradient.dtype == torch.float64
        torch.testing.assert_close(seen.gradient, mean_rank_gradient(fields, of.y, signs))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_samples_that_are_not_finite(value):
    of = subject()
    of.x[3, 2] = value
    for name in ("find_basins", "sample_noise_correct", "weight_noise_correct"):
        assert_refused(name, of, "samples hold NaN or infinite values: remove these samples")
    outputs = netdyn.logits(of.model, of.x)
    assert not outputs[3].isfinite().all()
    others = torch.arange(12) != 3
    assert torch.equal(outputs[others], netdyn.logits(of.model, subject().x)[others])


def test_no_samples():
    of = subject()
    of = of._replace(x=of.x[:0], y=of.y[:0])
    for given in (of, of._replace(y=[]), of._replace(x=np.zeros((0, 6)), y=np.array([]))):
        assert netdyn.logits(given.model, given.x).shape == (0, 3)
        assert [h.shape for h in netdyn.local_fields(given.model, given.x)] == [(0, 20), (0, 16)]
        for measure in (netdyn.sample_noise_correct, netdyn.weight_noise_correct):
            assert measure(given.model, given.x, given.y, [0.0, 1.0], 2, 0).shape == (2, 0)
        with pytest.raises(netdyn.NetdynError, match="basins of no samples: give at least one"):
            netdyn.find_basins(given.model, given.x, given.y, "sample", 2, 0)
    assert_refused("rpd_gradient", of, r"labels of shape \(0,\)")


@pytest.mark.parametrize("counts", [(12, 0, 0), (1, 11, 0), (1, 1, 10), (0, 6, 6)])
def test_ranks_of_classes_of_no_or_one_sample_follow_the_definition(counts):
    of = subject()
    y = torch.repeat_interleave(torch.arange(3), torch.tensor(counts))
    fields, signs = of.fields[:, :5].double(), of.signs[:, :5]
    seen = netdyn.rank_statistics(fields, y, signs, 7)
    present = torch.tensor(counts) > 0
    densities, gradients = rank_probability(fields, y, signs, 7), torch.zeros(3, 5).double()
    for k, i in itertools.product(present.nonzero().flatten().tolist(), range(5)):
        spread = cells(projected(fields, signs, k, i))
        own = [sum(cell) / 2 for cell, label in zip(spread, y.tolist(), strict=True) if label == k]
        gradients[k, i] = 12 * (0.5 - sum(own) / len(own))
    torch.testing.assert_close(seen.rpd[present], densities[present])
    torch.testing.assert_close(seen.gradient[present], gradients[present])
    for rows in seen:
        assert rows[~present].isnan().all()
        assert rows.nanmean().isfinite()


def test_one_sample_alone_is_ordered_by_nothing():
    of = subject()
    seen = netdyn.rank_statistics(of.fields[:1], of.y[:1], of.signs, 4)
    assert torch.equal(seen.rpd[0], torch.ones(4))
    assert torch.equal(seen.gradient[0], torch.zeros(40))
    assert seen.gradient[1:].isnan().all()


@pytest.mark.parametrize("count", [0, -1, 1.5, "2", None])
def test_counts_are_whole_numbers_from_one(count):
    of = subject()
    pattern = re.escape(f"trials {count}: give at least one, a whole number")
    for measure in (netdyn.sample_noise_correct, netdyn.weight_noise_correct):
        with pytest.raises(netdyn.NetdynError, match=pattern):
            measure(of.model, of.x, of.y, [0.0], count, 0)
    with pytest.raises(netdyn.NetdynError, match=pattern):
        netdyn.find_basins(of.model, of.x, of.y, "sample", count, 0)
    with pytest.raises(netdyn.NetdynError, match="bins"):
        netdyn.rank_probability(of.fields, of.y, of.signs, bins=count)


@pytest.mark.parametrize("amplitudes", [0.5, [[0.0, 1.0]], [], ["0.1"], [np.nan], [1j], None])
def test_amplitudes_that_are_none_are_refused(amplitudes):
    of = subject()
    for measure in (netdyn.sample_noise_correct, netdyn.weight_noise_correct):
        with pytest.raises(netdyn.NetdynError, match="amplitudes"):
            measure(of.model, of.x, of.y, amplitudes, 1, 0)
    with pytest.raises(netdyn.NetdynError, match=r"amplitudes|shares"):
        netdyn.basin_size(amplitudes, [1.0])
