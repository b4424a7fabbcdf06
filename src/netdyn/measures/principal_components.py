"""Principal components of samples, by scikit-learn, whose slow import stays in this module."""

from sklearn.decomposition import PCA
from torch import Tensor

from netdyn.errors import NetdynError
from netdyn.networks.inputs import as_input

__all__ = ["principal_components"]


def principal_components(x: Tensor, components: int = 3) -> PCA:
    """Return scikit-learn's PCA fitted to the samples x (P, …), flattened; Fig. 5 uses three.

    The solver is the exact eigendecomposition of the covariance, which draws no random numbers and
    fixes the signs of the axes. Bytes (uint8) are divided by 255; the same must be done to points
    before `principal_components(x).transform(points)`.

    Raises:
        NetdynError: for more components than samples or inputs.
    """
    values = as_input(x).flatten(1).detach().double().cpu().numpy()  # (P, N_0)
    if not 1 <= components <= min(values.shape):
        raise NetdynError(
            f"components {components}: {values.shape[0]} samples of {values.shape[1]} inputs have "
            f"1 … {min(values.shape)}"
        )
    return PCA(n_components=components, svd_solver="covariance_eigh").fit(values)
