"""Importing the data sets of torchvision with a CPU build of PyTorch.

torchvision's wheel on PyPI (observed with 0.28.0) is built for the CUDA build of PyTorch. With the
CPU build its compiled part does not load, and `import torchvision` fails with "operator
torchvision::nms does not exist": its Python part extends operators that are not declared. The data
sets use none of them, so declaring their schemas is enough. This is done only where the plain
import fails with this error.
"""

from types import ModuleType

__all__ = ["torchvision_datasets"]

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared = []  # the declarations last only as long as their Library object


def torchvision_datasets() -> ModuleType:
    """Return the module torchvision.datasets.

    Raises:
        ImportError: torchvision is missing.
    """
    try:
        import torchvision.datasets
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _declare()
        import torchvision.datasets
    return torchvision.datasets


def _declare() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _declared.append(library)
