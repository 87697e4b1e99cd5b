"""The curvature at a point, as it stands in curvature.json."""

from typing import Any

import jax
import numpy as np

from landscape.numerics import checks, curvature, slices
from landscape.run.measurements.measured_point import MeasuredPoint
from landscape.run.program import seed_key

PyTree = Any

# Up to so many parameters the whole matrix is computed, to check Lanczos.
DENSE = 600


def curvature_of(
    around: MeasuredPoint, place: str, step: int, gauss_newton: str | None
) -> tuple[dict[str, Any], list[checks.Check]]:
    """One point of curvature.json; `gauss_newton` says why that operator is left out, if it is."""
    asked = around.run.curvature
    assert asked is not None
    operators: dict[str, Any] = {}
    made = []
    for operator in asked.operators:
        if operator == "gauss_newton" and gauss_newton is not None:
            operators[operator] = {"reason": gauss_newton}
            continue
        operators[operator] = _operator(around, operator)
        if place != "checkpoint" and (check := _against_dense(around, operator)):
            made.append(check)
    drop = around.training.drop
    described = {
        "place": place,
        "step": step,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(around.params)),
        "squared_norm": float(slices.norm(around.params)) ** 2,
        "risk": float(around.here["risk"]),
        "drop": drop if drop > 0 else None,
        "operators": operators,
    }
    return described, made


def _operator(around: MeasuredPoint, operator: str) -> dict[str, Any]:
    asked, spectrum = around.run.curvature, around.program.instruments.spectra[operator]
    assert asked is not None
    seed = around.run.seed
    at = (around.params, around.examples)
    samples = spectrum.traces(seed_key(seed, "trace probes"), *at)
    nodes, weights = spectrum.quadrature(seed_key(seed, "density probes"), *at)
    found = around.extremes(operator)
    return curvature.describe(
        _first(found, asked.eigenvalues), samples, nodes, weights, iterations=spectrum.iterations
    )


def _first(found: curvature.Extremes, count: int) -> curvature.Extremes:
    """As many eigenvalues as were asked for, where a direction needed more."""
    return jax.tree.map(lambda leaf: leaf[:count], found)


def _against_dense(around: MeasuredPoint, operator: str) -> checks.Check | None:
    size = sum(leaf.size for leaf in jax.tree.leaves(around.params))
    if size > DENSE:
        return None
    spectrum = around.program.instruments.spectra[operator]
    matrix = np.asarray(spectrum.dense(around.params, around.examples), np.float64)
    if not np.isfinite(matrix).all():
        where = f"{around.at}/{operator}"
        return checks.undecided("lanczos", where, "the matrix is not finite at this point")
    # As exact as the matrix is: the last bits of LAPACK depend on the process it runs in.
    exact = np.linalg.eigvalsh((matrix + matrix.T) / 2).astype(np.float32)
    found = around.extremes(operator)
    ends = [float(found.largest[0]), float(found.smallest[0])]
    return checks.lanczos(f"{around.at}/{operator}", np.array(ends), exact[[-1, 0]])
