"""`netdyn.read`: a network is read by whichever reader can."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.export import ExportedProgram

from netdyn.analysis.measuring import Analysis
from netdyn.errors import NetdynError
from netdyn.networks import reading as layered
from netdyn.networks.exported import check_shape, module_of, sample_shape
from netdyn.networks.foreign import not_a_module
from netdyn.networks.kinds import Holder, ReadNetwork
from netdyn.networks.reading import Network
from netdyn.networks.traced.reading import NOT_AFFINE_CHOICES, trace

__all__ = ["read"]

# Parts of the messages of the layered reader where the traced one may help.
_TRACED_WITH_EXAMPLE = (
    "is not a torch.nn.Sequential", "has a forward other than", "Dropout and a leading Flatten",
)  # fmt: skip


def read(
    model: nn.Module | ReadNetwork | Holder | ExportedProgram,
    example: Tensor | None = None,
    *,
    activations: Sequence[object] = (),
    not_affine: str = "refuse",
) -> Analysis:
    """Read a network once, for any number of measurements.

    A `torch.nn.Sequential` of Linear, BatchNorm1d and elementwise activations is read layer by
    layer. Any other module is traced with the example: every call of an activation (`nn.ReLU`,
    `F.relu`, `x.tanh()`, …) on what depends on the samples is a site, and with all of them the
    identity the rest must be affine.

    Args:
        model: the network; what was read already is returned as it is. A program that
            `torch.export.export` or `torch.export.load` returned is traced.
        example: samples (P, …), floats or bytes, at least one and better some ten, by which a
            network is traced; its shape is that of the samples to come.
        activations: further activations: classes of elementwise modules without state, and
            functions of PyTorch, such as `torch.exp`.
        not_affine: what becomes of max pooling, layer norm (group, instance, RMS norm), softmax and
            attention: "refuse", or "freeze" at what each does to a sample in its own pass, by a
            definition of netdyn's own. L-maps are then means over samples.

    Raises:
        NetdynError: naming what is not supported, why, and what to do; docs/limits.md lists what is
            read. Gates, which multiply two functions of the samples, are refused.
    """
    if isinstance(model, ExportedProgram):
        return _exported(model, example, activations, not_affine)
    if isinstance(model, Analysis):
        model.network.refuse_changes()
        return model
    if not_affine not in NOT_AFFINE_CHOICES:
        raise NetdynError(
            f"not_affine {not_affine!r}: choose one of {', '.join(NOT_AFFINE_CHOICES)}"
        )
    if example is None or isinstance(model, ReadNetwork):
        return Analysis(_by_layers(model, activations))
    try:
        return Analysis(layered.read(model, activations=activations))
    except NetdynError:
        return Analysis(trace(model, example, activations, not_affine))


def _exported(
    program: ExportedProgram, example: object, activations: Sequence[object], not_affine: str
) -> Analysis:
    if example is None:
        raise NetdynError(
            "an exported program is traced with example samples: netdyn.read(program, x)"
        )
    check_shape(program, example)
    try:
        return read(module_of(program), example, activations=activations, not_affine=not_affine)
    except NetdynError as error:
        batch = sample_shape(program)[0]
        if batch is None or "own forward fails" not in str(error):
            raise
        raise NetdynError(
            f"{error}; the program was exported for batches of {batch}: export it with "
            'dynamic_shapes=({0: torch.export.Dim("batch")},)'
        ) from error


def _by_layers(model: object, activations: Sequence[object]) -> Network:
    try:
        return layered.read(model, activations=activations)
    except NetdynError as error:
        text = str(error)
        helps = any(part in text for part in _TRACED_WITH_EXAMPLE) and "activations=[" not in text
        if not_a_module(model) or not helps:
            raise
        raise NetdynError(
            f"{text}; or give example samples, netdyn.read(model, x), to have it traced"
        ) from error
