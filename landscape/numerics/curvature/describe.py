"""What was found of one operator, as plain numbers."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from landscape.numerics.curvature.spectrum import Extremes, density
from landscape.numerics.curvature.traces import Estimate, TraceSamples, mean_and_error


def describe(
    extremes: Extremes,
    samples: TraceSamples,
    nodes: ArrayLike,
    weights: ArrayLike,
    *,
    iterations: int,
    points: int = 200,
    width: float | None = None,
) -> dict[str, Any]:
    """One operator as in curvature.json, of plain floats and lists; not-finite ones stay as such.

    `iterations` are those that `extremes` was asked for; what is told are those that it made, at
    most one a parameter. `points` and `width` are as in `density`.
    """
    estimates = mean_and_error(samples)
    sizes = {name: int(size) for name, size in samples.sizes.items()}
    curve = density(nodes, weights, points=points, width=width)
    return {
        "largest": _floats(extremes.largest),
        "smallest": _floats(extremes.smallest),
        "largest_residuals": _floats(extremes.largest_residuals),
        "smallest_residuals": _floats(extremes.smallest_residuals),
        "iterations": min(iterations, sum(sizes.values())),
        "trace": _estimate(estimates.trace),
        "frobenius": _estimate(estimates.frobenius),
        "layers": {
            name: {"parameters": sizes[name]} | _estimate(found)
            for name, found in estimates.layers.items()
        },
        "density": {
            "eigenvalue": _floats(curve.eigenvalue),
            "mean": _floats(curve.mean),
            "low": _floats(curve.low),
            "high": _floats(curve.high),
            "width": curve.width,
            "probes": len(np.asarray(nodes)),
        },
    }


def _floats(values: ArrayLike) -> list[float]:
    return np.asarray(values, np.float64).tolist()


def _estimate(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "error": found.error}
