"""Summarizes the estimates of one operator in a record."""

import numpy as np
from numpy.typing import ArrayLike

from landscape.numerics.curvature.spectrum import Extremes, density
from landscape.numerics.curvature.traces import TraceSamples, mean_and_error
from landscape.storage.curvature_records import (
    DensityRecord,
    EstimateRecord,
    LayerTraceRecord,
    OperatorRecord,
)


def describe(
    extremes: Extremes,
    samples: TraceSamples,
    nodes: ArrayLike,
    weights: ArrayLike,
    *,
    iterations: int,
    points: int = 200,
    width: float | None = None,
) -> OperatorRecord:
    """Returns the record of one operator, in float64.

    `iterations` is the number requested for `extremes`; the record holds that performed, at most
    the number of parameters. `points` and `width` are as in `density`.
    """
    estimates = mean_and_error(samples)
    sizes = {name: int(size) for name, size in samples.sizes.items()}
    curve = density(nodes, weights, points=points, width=width)
    return OperatorRecord(
        largest=_floats(extremes.largest),
        smallest=_floats(extremes.smallest),
        largest_residuals=_floats(extremes.largest_residuals),
        smallest_residuals=_floats(extremes.smallest_residuals),
        iterations=min(iterations, sum(sizes.values())),
        trace=EstimateRecord(*estimates.trace),
        frobenius=EstimateRecord(*estimates.frobenius),
        layers={
            name: LayerTraceRecord(*estimate, parameters=sizes[name])
            for name, estimate in estimates.layers.items()
        },
        density=DensityRecord(
            eigenvalue=_floats(curve.eigenvalue),
            mean=_floats(curve.mean),
            low=_floats(curve.low),
            high=_floats(curve.high),
            width=curve.width,
            probes=len(np.asarray(nodes)),
        ),
    )


def _floats(values: ArrayLike) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())
