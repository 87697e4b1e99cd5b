"""Whether a loss that compares all pairs leads every prediction to one value.

For B501: such as the mean of (n, n) squared errors, whose minimum is at the mean of the targets.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.codes._batches import random_batch, values_of
from landscape.audit.measure.survey import Survey
from landscape.numerics.compiling import jit_once

Array = np.ndarray
SCALES = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)  # of right predictions of classes
NOISE = 0.3  # spread of the predictions from which the descent starts
STEPS = 2.0 ** -np.arange(-3, 13)  # lengths tried in each step of the descent
ROUNDS = 40
CLOSER = 0.3  # share of the spread of the starts that remains after a descent to one value


class Collapse(NamedTuple):
    """The lowest equal predictions, with the loss there and at the right predictions."""

    prediction: Array
    value: float
    value_at_targets: float


def collapse(survey: Survey) -> Collapse | None:
    """Returns the equal predictions to which the loss leads; None if it does not.

    Equal predictions must cost less than right ones, and descent from unequal ones must find none
    that cost less.
    """
    subject = survey.subject
    predictions, targets = random_batch(survey)

    def mean(p: Any) -> Any:
        return jnp.mean(subject.batched(p, targets))

    right = _right_predictions(survey, predictions, values_of(targets))
    equal = np.broadcast_to(right.mean(1, keepdims=True), right.shape)
    if subject.goal == "numbers":
        levels = np.linspace(right.min(), right.max(), 201)
        equal = np.broadcast_to(
            levels.reshape(-1, *(1,) * (right.ndim - 1)), (201, *right.shape[1:])
        )
    both = np.concatenate([right, equal]).astype(np.float32)
    values = np.asarray(jit_once(jax.vmap(mean))(both), np.float64)
    values = np.where(np.isfinite(values), values, np.inf)
    at_targets, at_equal = values[: len(right)].min(), values[len(right) :].min()
    gain = at_targets - at_equal
    if not gain > 1e-4 * abs(at_targets):
        return None
    lowest = equal[int(np.argmin(values[len(right) :]))]
    if not _returns(mean, lowest, at_equal - 0.01 * gain):
        return None
    return Collapse(lowest[0], float(at_equal), float(at_targets))


def _right_predictions(survey: Survey, predictions: Array, targets: Array) -> Array:
    """Returns right predictions, `(n, ROWS, ...)`: the targets, or logits of several sizes."""
    if survey.subject.goal == "numbers":
        return np.asarray(targets, float).reshape(1, *predictions.shape)
    if survey.subject.goal == "classes":
        is_labels = targets.ndim < predictions.ndim
        labels = targets if is_labels else targets.argmax(-1)
        signs = 2 * np.eye(predictions.shape[-1])[labels] - 1
    else:
        signs = np.where(targets > 0, 1.0, -1.0)
    scales = np.array(SCALES).reshape(-1, *(1,) * signs.ndim)
    if survey.subject.domain.name == "symmetric":
        return 0.98 * signs * scales / max(SCALES)
    if survey.subject.domain.name != "real":
        return 0.5 + 0.49 * signs * scales / max(SCALES)
    return signs * scales


def _returns(mean: Any, lowest: Array, bound: float) -> bool:
    """Whether descent from unequal predictions nearby brings them together, and not below a bound.

    Each step takes the best of several lengths along the gradient.
    """
    rng = np.random.default_rng(501)
    noise = NOISE * rng.normal(size=lowest.shape)
    slope = jax.grad(mean)

    def step(point: Any, _: Any) -> tuple:
        lengths = jnp.asarray(STEPS, point.dtype).reshape(-1, *(1,) * point.ndim)
        tries = point[None] - lengths * slope(point)[None]
        tries = jnp.concatenate([point[None], tries])
        costs = jax.vmap(mean)(tries)
        return tries[jnp.nanargmin(costs)], None

    def descend(point: Any) -> tuple:
        last = jax.lax.scan(step, point, None, ROUNDS)[0]
        return last, mean(last)

    start = (lowest + noise).astype(np.float32)
    last, value = (np.asarray(v, np.float64) for v in jit_once(descend)(start))
    remaining = np.ptp(last, axis=0).max() / np.ptp(noise, axis=0).max()
    return bool(value >= bound and remaining <= CLOSER)
