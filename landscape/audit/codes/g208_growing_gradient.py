"""G208, a growing gradient: the gradient of a regression loss grows as predictions get better.

On each path to a target the norm of the gradient is compared at the distances 1, 0.1 and 0.01: it
more than doubles from each to the next, on all paths.

## Why

Steps get longer near the fit, so a constant learning rate cannot settle there, and one perfect
prediction can give an infinite gradient.

## Severity

Warning.

## Instead

Minimize the error itself, and report its logarithm, ratio or root as a metric.

## Example (--task regression)

    import jax.numpy as jnp


    def negative_psnr(predictions, targets):
        squared = jnp.square(predictions - targets)
        return 10 * jnp.log10(squared + 1e-10)

## Fixed

    import jax.numpy as jnp


    def squared_error(predictions, targets):
        return jnp.square(predictions - targets)
"""

import numpy as np

from landscape.audit.codes._minima import judges_single_targets, result_place
from landscape.audit.codes._numbers import quote
from landscape.audit.measure.survey import Path, Survey, norms
from landscape.storage.audit_records import Finding

DISTANCES = np.array([1.0, 0.1, 0.01])
GROWTH = 2.0  # of the norm from each distance to the next, on every path
ROOTS_AND_LOGARITHMS = ("log", "log1p", "sqrt", "pow", "cbrt", "rsqrt", "div")


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the path on which the gradient grows most."""
    if survey.subject.task != "regression" or not judges_single_targets(survey):
        return []
    slopes = [(path, _slopes(survey, path)) for path in survey.judged_paths]
    if not slopes or not all(np.all(row[1:] > GROWTH * row[:-1]) for _, row in slopes):
        return []
    path, row = max(slopes, key=lambda pair: pair[1][-1] / pair[1][0])
    return [
        Finding(
            code="G208",
            severity="warning",
            message=(
                f"the gradient grows toward the fit: its norm is {row[0]:.3g} at a distance of 1, "
                f"{row[1]:.3g} at 0.1, and {row[2]:.3g} at 0.01 ({path.target.name}): a constant "
                "learning rate cannot settle there"
            ),
            where=survey.place_of_operation(ROOTS_AND_LOGARITHMS) or result_place(survey),
            evidence={
                "target": path.target.name,
                "distances": quote(DISTANCES),
                "norms": quote(row),
            },
            suggestion=(
                "minimize the error itself and report its logarithm, ratio or root as a metric; "
                "else let the learning rate fall to 0, or clip gradients by norm"
            ),
        )
    ]


def _slopes(survey: Survey, path: Path) -> np.ndarray:
    """Returns the norm of the gradient at each distance from the target."""
    return norms(survey.probe.gradients(path.points_at(DISTANCES), path.target)[1])
