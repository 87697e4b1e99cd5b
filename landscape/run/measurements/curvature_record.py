"""The curvature at a point, as recorded in curvature.json."""

from typing import Any

import jax
import numpy as np

from landscape.numerics import checks, curvature, slices
from landscape.run.measurements.measured_point import MeasuredPoint
from landscape.run.training_inputs import seed_key
from landscape.storage.curvature_records import CurvaturePoint, OmittedOperator, OperatorRecord
from landscape.storage.records import Check

PyTree = Any

# The dense matrix is computed for at most this many parameters: exact numbers, and a check of
# Lanczos.
DENSE = 600


def curvature_at(
    point: MeasuredPoint, place: str, step: int, gauss_newton_reason: str | None
) -> tuple[CurvaturePoint, list[Check]]:
    """Returns the curvature at a point, and the checks of it.

    `gauss_newton_reason` says why that operator is omitted, None if it is not.
    """
    settings = point.run.curvature
    assert settings is not None
    operators: dict[str, OperatorRecord | OmittedOperator] = {}
    dense_checks = []
    for operator in settings.operators:
        if operator == "gauss_newton" and gauss_newton_reason is not None:
            operators[operator] = OmittedOperator(gauss_newton_reason)
            continue
        matrix = None if place == "checkpoint" else _dense(point, operator)
        operators[operator] = _operator(point, operator, place, matrix)
        if matrix is not None:
            dense_checks.append(_check_against_dense(point, operator, matrix))
    drop = point.training.drop
    record = CurvaturePoint(
        place=place,
        step=step,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(point.params)),
        squared_norm=float(slices.norm(point.params)) ** 2,
        risk=float(point.center["risk"]),
        drop=drop if drop > 0 else np.nan,
        operators=operators,
    )
    return record, dense_checks


def _operator(
    point: MeasuredPoint, operator: str, place: str, matrix: np.ndarray | None
) -> OperatorRecord:
    settings, spectrum = point.run.curvature, point.program.instruments.spectra[operator]
    assert settings is not None
    loss, seed = point.program.loss, point.run.seed
    extremes = _first(point.extremes(operator), settings.eigenvalues)
    iterations = spectrum.iterations
    if matrix is not None and np.isfinite(matrix).all():
        return curvature.describe_dense(extremes, matrix, point.params, iterations=iterations)
    location = (point.params, point.examples)
    samples = spectrum.traces(loss, seed_key(seed, "trace probes"), *location)
    nodes, weights = spectrum.quadrature(loss, seed_key(seed, "density probes"), *location)
    # Along training it would double the cost, and the ends are what is compared.
    adaptive = None if place == "checkpoint" else point.adaptive_sharpness(operator)
    return curvature.describe(
        extremes, samples, nodes, weights, iterations=iterations, adaptive_sharpness=adaptive
    )


def _first(extremes: curvature.Extremes, count: int) -> curvature.Extremes:
    """Drops eigenvalues that only a direction needed."""
    return jax.tree.map(lambda leaf: leaf[:count], extremes)


def _dense(point: MeasuredPoint, operator: str) -> np.ndarray | None:
    """Returns the dense matrix of a small model, None of others."""
    if sum(leaf.size for leaf in jax.tree.leaves(point.params)) > DENSE:
        return None
    dense = point.program.instruments.spectra[operator].dense
    return np.asarray(dense(point.program.loss, point.params, point.examples), np.float64)


def _check_against_dense(point: MeasuredPoint, operator: str, matrix: np.ndarray) -> Check:
    where = f"{point.end}/{operator}"
    if not np.isfinite(matrix).all():
        return checks.undecided("lanczos", where, "the matrix is not finite at this point")
    # In float32, as the matrix itself.
    exact = np.linalg.eigvalsh((matrix + matrix.T) / 2).astype(np.float32)
    extremes = point.extremes(operator)
    ends = [float(extremes.largest[0]), float(extremes.smallest[0])]
    return checks.lanczos(where, np.array(ends), exact[[-1, 0]])
