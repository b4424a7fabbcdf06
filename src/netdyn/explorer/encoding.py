"""Values as pages carry them: plain JSON, and long columns of numbers in 16 bits each."""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["LEVELS", "pack", "plain", "script_json", "unpack"]

LEVELS = 65534  # steps between the smallest and the largest value; one code is that of a gap
GAP = 65535


def plain(value: Any) -> Any:
    """Return a value as JSON has it: arrays and series as lists, what is not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | pd.Series | pd.Index):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | range):
        return [plain(each) for each in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def script_json(value: Any) -> str:
    """Return JSON that may stand in a script element of a page."""
    text = json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", r"\u003c")


def pack(values: Iterable[float]) -> dict[str, Any]:
    """Return numbers in 16 bits each: `codes`, base64 of little-endian words, `low` and `step`.

    A number is low + step · code, at most half a step from what it was; a step is 1 / 65,534 of
    their range. The code 65,535 stands for what is not finite.
    """
    numbers = np.asarray(list(values), dtype=float)
    finite = np.isfinite(numbers)
    low, high = (numbers[finite].min(), numbers[finite].max()) if finite.any() else (0.0, 0.0)
    step = (high - low) / LEVELS
    scaled = np.where(finite, numbers - low, 0.0) / (step or 1.0)
    codes = np.where(finite, np.rint(scaled), GAP).astype("<u2")
    return {
        "low": float(low),
        "step": float(step),
        "codes": base64.b64encode(codes.tobytes()).decode(),
    }


def unpack(packed: Mapping[str, Any]) -> np.ndarray:
    """Return the numbers that `pack` was given, within half a step; NaN for what was not finite."""
    codes = np.frombuffer(base64.b64decode(packed["codes"]), dtype="<u2")
    return np.where(codes == GAP, np.nan, packed["low"] + packed["step"] * codes)
