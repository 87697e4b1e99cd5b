"""Grids of learning rates, and the trials that a budget allows."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

import numpy as np

DIGITS = 4  # of a rate: readable, and finer than any difference that a learning rate makes

Side = Literal["low", "high"]
Options = Mapping[str, object]


def learning_rates(center: float, points: int = 13, decades: float = 4.0) -> tuple[float, ...]:
    """Returns `points` rates over `decades`, evenly spaced on the log axis around `center`.

    They ascend and are rounded to four significant digits, except `center` itself. An even number
    of points does not contain the center.

    Raises ValueError unless `center` and `decades` are positive and finite and `points` is at least
    2.
    """
    if not (0 < center < math.inf and 0 < decades < math.inf and points >= 2):
        raise ValueError(
            f"a grid needs a positive center, positive decades and at least 2 points, not "
            f"center {center}, decades {decades} and {points} points"
        )
    exponents = np.linspace(-decades / 2, decades / 2, points)
    return tuple(_rate(center, float(exponent)) for exponent in exponents)


def extended(rates: Sequence[float], side: Side) -> tuple[float, ...]:
    """Returns the rates of one more decade beyond one end of a grid, with its mean spacing.

    Three for 13 points over 4 decades. At least one; none if the grid has a single rate, which has
    no spacing. They ascend.
    """
    if len(rates) < 2:
        return ()
    low, high = min(rates), max(rates)
    spacing = math.log10(high / low) / (len(rates) - 1)
    count = max(1, round(1 / spacing))
    if side == "low":
        return tuple(_rate(low, -step * spacing) for step in range(count, 0, -1))
    return tuple(_rate(high, step * spacing) for step in range(1, count + 1))


def trials(
    rates: Sequence[float], options: Sequence[Options], count: int, seed: int = 0
) -> list[tuple[float, Options]]:
    """Returns the points (rate, options of the loss) at which a loss is tuned.

    Without options, all rates. With options, `count` distinct points of the product, drawn without
    replacement, in the order of the product: a loss with options is tuned with the budget of a loss
    without, and hence gains nothing from having more chances. All points if there are at most
    `count`. The same seed draws the same points.
    """
    if not options:
        return [(rate, {}) for rate in rates]
    points = list(product(rates, options))
    size = min(count, len(points))
    rng = np.random.default_rng(seed)
    return [points[index] for index in sorted(rng.choice(len(points), size, replace=False))]


def _rate(origin: float, exponent: float) -> float:
    """Returns origin x 10^exponent, rounded; the origin itself at exponent 0."""
    if abs(exponent) < 1e-12:
        return float(origin)
    return float(f"{origin * 10**exponent:.{DIGITS}g}")
