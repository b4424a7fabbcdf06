"""Programs of `torch.export`: from an archive, without running what it holds, to a module.

A program's functions are those of ATen, its modules stand where the exported model's stood, so that
the traced reader finds the activations and names their places as in the model.
"""

import io
import json
import logging
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from netdyn.errors import NetdynError
from netdyn.networks.integer_samples import as_samples_or_tokens
from netdyn.networks.traced.calls import base_name

__all__ = ["check_shape", "load_program", "module_of", "sample_shape"]

# What an archive of torch.export.save may hold, below its first folder. All else is code or old.
_PARTS = ("data/weights/", "data/constants/", "data/sample_inputs/", "models/", "extra/", ".data/")
_FILES = ("archive_format", "archive_version", "byteorder", "version", "module_info.json")
# Where functions of ATen hold whether they are in training mode.
_TRAINING = {"batch_norm": 5, "dropout": 2}


def load_program(path: Path | str) -> ExportedProgram:
    """Return the program of an archive of `torch.export.save`.

    Raises:
        NetdynError: the file is missing, damaged or no such archive; it holds compiled code, or
            objects that PyTorch would unpickle, which could run any code.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_code(path, archive)
    except FileNotFoundError as error:
        raise NetdynError(f"{path}: there is no such file") from error
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
        raise _damaged(path, error) from error
    # PyTorch logs each failure before it raises.
    logger = logging.getLogger("torch.export")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # which PyTorch gives itself
            return torch.export.load(path)
    except Exception as error:
        raise _damaged(path, error) from error
    finally:
        logger.setLevel(level)


def _damaged(path: Path, error: Exception) -> NetdynError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return NetdynError(
        f"{path}: truncated, damaged or no archive of torch.export.save ({reason}): export the "
        "model again"
    )


def _refuse_code(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise NetdynError where loading the archive could run code that it brings along."""
    names = archive.namelist()
    inside = {name.partition("/")[2]: name for name in names}
    strange = [
        name for name in inside if not (name.startswith(_PARTS) or name in _FILES or not name)
    ]
    if strange or len(inside) < len(names) or not any(n.startswith("models/") for n in inside):
        what = f"it holds {strange[0]}" if strange else "it holds no program, or files twice"
        raise ValueError(what)
    for name, full in inside.items():
        pickles = False
        if name.startswith(("data/weights/", "data/constants/")) and name.endswith(".json"):
            config = json.loads(archive.read(full))["config"].values()
            pickles = any(
                one["use_pickle"] or one["path_name"].startswith(("custom_obj", "opaque_obj"))
                for one in config
            )
        elif name.endswith(".pt"):
            pickles = not _is_of_tensors(io.BytesIO(archive.read(full)))
        if pickles:
            raise NetdynError(
                f"{path}: {name} holds a pickle of more than tensors, which could run any code: "
                "export the model with tensors alone"
            )


def _is_of_tensors(file: object) -> bool:
    try:
        torch.load(file, weights_only=True, map_location="cpu")
    except Exception:  # whatever the reason: the restricted reader does not take it
        return False
    return True


def sample_shape(program: ExportedProgram) -> tuple[int | None, ...]:
    """Return the shape of a batch that a program takes, (P, …), None where any size fits.

    Raises:
        NetdynError: the program does not take one tensor.
    """
    inputs = program.graph_signature.user_inputs
    values = [
        node.meta.get("val")
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in inputs
    ]
    if len(values) != 1 or not isinstance(values[0], torch.Tensor):
        raise NetdynError(
            f"the exported program takes {len(values)} inputs: netdyn measures networks of one "
            "tensor of samples"
        )
    return tuple(size if isinstance(size, int) else None for size in values[0].shape)


def check_shape(program: ExportedProgram, x: object) -> None:
    """Raise NetdynError for samples (P, …) whose shape is not the one that was exported."""
    expected, given = sample_shape(program)[1:], tuple(as_samples_or_tokens(x).shape[1:])
    pairs = zip(expected, given, strict=False)
    if len(expected) != len(given) or any(one not in (None, other) for one, other in pairs):
        shape = ", ".join("any" if one is None else str(one) for one in expected)
        raise NetdynError(
            f"samples of shape {given}: the program was exported for samples of ({shape}): "
            "reshape them, or export the model for theirs"
        )


def module_of(program: ExportedProgram) -> nn.Module:
    """Return the program as a module, with the modules and parameters of the exported model.

    A program that was exported for batches of one size takes others as well, where its functions
    do.

    Raises:
        NetdynError: the model was in training mode when it was exported.
    """
    for name, node in _calls(program):
        place = _TRAINING.get(name)
        if place is not None and len(node.args) > place and node.args[place] is True:
            raise NetdynError(
                f"the program was exported in training mode ({name}): call model.eval() before "
                "torch.export.export"
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # which PyTorch gives itself
        module = torch.export.unflatten(program)
    module.check_input_constraints = False  # which names one size of batches
    return module


def _calls(program: ExportedProgram) -> Iterator[tuple[str, torch.fx.Node]]:
    """Yield the functions that a program calls, by name, with their nodes."""
    for node in program.graph.nodes:
        if node.op == "call_function":
            yield base_name(node.target), node
