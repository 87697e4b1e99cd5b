"""Values of a subject without the rounding of float64, by evaluation with many digits."""

from decimal import Decimal

import jax.extend.core as jex
import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey
from landscape.audit.static.decimals import evaluate_exactly

Array = np.ndarray


def exact_values(survey: Survey, points: Array, target: Target) -> list[Decimal] | None:
    """Returns the value at each point; None if any is not finite, or an operation has no rule."""
    values = []
    for point in points:
        outputs = _evaluated(survey.subject.value, point, target)
        if outputs is None or not outputs[0].item().is_finite():
            return None
        values.append(outputs[0].item())
    return values


def exact_gradient(survey: Survey, point: Array, target: Target) -> Array | None:
    """Returns the gradient by autodiff at a point, rounded to float64; None if it is unknown."""
    outputs = _evaluated(survey.subject.gradient, point, target)
    return None if outputs is None else outputs[1].astype(np.float64)


def _evaluated(program: jex.ClosedJaxpr, point: Array, target: Target) -> list[Array] | None:
    return evaluate_exactly(program, np.asarray(point, np.float64), target.cast(np.float64))
