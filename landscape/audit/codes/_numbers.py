"""Numbers as findings show them: exact in evidence, short in messages."""

from typing import Any

import numpy as np


def quote(values: Any) -> Any:
    """Returns exact numbers for evidence: a float, or nested lists with the array's axes."""
    array = np.asarray(values, np.float64)
    return float(array.reshape(())) if array.size == 1 else array.tolist()


def brief(values: Any) -> str:
    """Returns the text of numbers for a message: four digits, four components."""
    flat = np.ravel(np.asarray(values, np.float64))
    shown = ", ".join(f"{v:.4g}" for v in flat[:4]) + (", …" if flat.size > 4 else "")
    return shown if flat.size == 1 else f"({shown})"


def interval(successes: int, trials: int) -> tuple[float, float]:
    """Returns the 95 % Wilson interval of a share (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    z, p = 1.959964, successes / trials
    middle = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * np.sqrt(p * (1 - p) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
