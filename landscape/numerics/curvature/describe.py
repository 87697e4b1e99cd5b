"""Summarizes one operator in a record, from estimates or from the dense matrix."""

from typing import Any

import numpy as np
from jax.flatten_util import ravel_pytree
from numpy.typing import ArrayLike, NDArray

from landscape.numerics.curvature.spectrum import Density, Extremes, density
from landscape.numerics.curvature.traces import (
    TraceSamples,
    layer_sizes,
    layer_sums,
    mean_and_error,
)
from landscape.storage.curvature_records import (
    DensityRecord,
    EstimateRecord,
    LayerTraceRecord,
    OperatorRecord,
)

PyTree = Any


def describe(
    extremes: Extremes,
    samples: TraceSamples,
    nodes: ArrayLike,
    weights: ArrayLike,
    *,
    iterations: int,
    adaptive_sharpness: float | None = None,
    points: int = 200,
    width: float | None = None,
) -> OperatorRecord:
    """Returns the record of one operator, in float64, from random probes.

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
        density=_density_record(curve, probes=len(np.asarray(nodes))),
        adaptive_sharpness=adaptive_sharpness,
    )


def describe_dense(
    extremes: Extremes,
    matrix: NDArray[np.float64],
    params: PyTree,
    *,
    iterations: int,
    points: int = 200,
) -> OperatorRecord:
    """Returns the record of one operator from its dense matrix (N, N), which is finite.

    Trace, Frobenius norm, traces of layers, all eigenvalues and the adaptive sharpness are exact up
    to the rounding of the matrix: their errors are 0. The density is that of the eigenvalues, with
    0 probes and no band. `extremes` are those by Lanczos; see `describe` for the rest.
    """
    matrix = (matrix + matrix.T) / 2
    eigenvalues = exact_eigenvalues(matrix)
    scale = np.abs(np.asarray(ravel_pytree(params)[0], np.float64))
    sizes = layer_sizes(params)
    count = len(matrix)
    curve = density(eigenvalues[None], np.full((1, count), 1 / count), points=points)
    diagonal = np.diag(matrix)
    return OperatorRecord(
        largest=_floats(extremes.largest),
        smallest=_floats(extremes.smallest),
        largest_residuals=_floats(extremes.largest_residuals),
        smallest_residuals=_floats(extremes.smallest_residuals),
        iterations=min(iterations, count),
        trace=EstimateRecord(float(diagonal.sum()), 0.0),
        frobenius=EstimateRecord(float(np.sqrt(np.sum(matrix**2))), 0.0),
        layers={
            name: LayerTraceRecord(total, 0.0, parameters=sizes[name])
            for name, total in layer_sums(params, diagonal).items()
        },
        density=_density_record(curve, probes=0),
        eigenvalues=_floats(eigenvalues),
        adaptive_sharpness=float(exact_eigenvalues(scale[:, None] * matrix * scale)[-1]),
    )


def exact_eigenvalues(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns all eigenvalues of a symmetric matrix, ascending, to 24 bits of the largest.

    The matrix was computed in float32, so more digits would be noise. Zeros have no sign, which
    would be noise as well.
    """
    values = np.linalg.eigvalsh(matrix)
    largest = np.abs(values).max()
    if not largest > 0:
        return np.zeros_like(values)
    unit = 2.0 ** (np.floor(np.log2(largest)) - 24)
    return np.round(values / unit) * unit + 0.0


def _density_record(curve: Density, probes: int) -> DensityRecord:
    return DensityRecord(
        eigenvalue=_floats(curve.eigenvalue),
        mean=_floats(curve.mean),
        low=_floats(curve.low),
        high=_floats(curve.high),
        width=curve.width,
        probes=probes,
    )


def _floats(values: ArrayLike) -> tuple[float, ...]:
    return tuple(np.asarray(values, np.float64).tolist())
