"""What claims say of the error of g over samples, where it was measured (column `error`)."""

import numpy as np
import pandas as pd

__all__ = ["error_of"]


def error_of(rows: pd.DataFrame, what: str) -> str:
    """Return " (error of WHAT over samples up to 0.012)", the largest of the rows; "" without.

    Args:
        rows: of a table of gradients, with or without the column `error`.
        what: whose error it is, such as "the first g".
    """
    errors = rows["error"].to_numpy(float) if "error" in rows else np.empty(0)
    errors = errors[np.isfinite(errors)]
    return f" (error of {what} over samples up to {errors.max():.2g})" if len(errors) else ""
