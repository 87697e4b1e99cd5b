"""Metrics of predicted quantities: predictions and targets (n,) or (n, outputs).

If predictions describe a distribution, the column that is the `point` of the task is judged. Errors
are in the unit of the dataset's targets: standard
deviations if they are standardized.
"""

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import Metric, Snapshot, misfit

_TASKS = ("regression",)


def r2() -> Metric:
    """R2 = 1 - sum (target - prediction)^2 / sum (target - mean target)^2, mean over outputs.

    1 is perfect, 0 equals predicting the mean, and there is no lower bound; higher is better. An
    output with constant targets scores 1 if predicted exactly, else 0. Equal to scikit-learn's
    `r2_score`. Choose it for a score without units.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predictions, targets = _quantities(snapshot, "r2")
        residual = jnp.sum((targets - predictions) ** 2, axis=0)
        total = jnp.sum((targets - jnp.mean(targets, axis=0, keepdims=True)) ** 2, axis=0)
        constant = jnp.max(targets, axis=0) == jnp.min(targets, axis=0)
        exact = jnp.where(residual == 0, 1.0, 0.0)
        scores = jnp.where(constant, exact, 1 - residual / jnp.where(constant, 1, total))
        return jnp.mean(scores)

    return Metric(score, higher_is_better=True, best=1.0, tasks=_TASKS)


def rmse() -> Metric:
    """Root of the mean squared difference of prediction and target, mean over outputs.

    Lower is better. Equal to scikit-learn's `root_mean_squared_error`. Choose it for errors in the
    unit of the targets if large errors matter most.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predictions, targets = _quantities(snapshot, "rmse")
        return jnp.mean(jnp.sqrt(jnp.mean((targets - predictions) ** 2, axis=0)))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def mae() -> Metric:
    """Mean absolute difference of prediction and target, mean over outputs.

    Lower is better. Equal to scikit-learn's `mean_absolute_error`. Choose it instead of `rmse` if
    there are outliers.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predictions, targets = _quantities(snapshot, "mae")
        return jnp.mean(jnp.abs(targets - predictions))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def median_absolute_error() -> Metric:
    """Median of the absolute difference of prediction and target, mean over outputs.

    Lower is better. Equal to scikit-learn's `median_absolute_error`. Choose it for the error of a
    typical example: half of the targets may be arbitrarily wrong.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predictions, targets = _quantities(snapshot, "median_absolute_error")
        return jnp.mean(jnp.median(jnp.abs(targets - predictions), axis=0))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def spearman() -> Metric:
    """Correlation of the ranks of predictions and targets, mean over outputs.

    Equal values have their mean rank. From -1 to 1, and 0 for constant predictions; higher is
    better. Equal to scipy's `spearmanr` where that is defined. Source: Spearman, The proof and
    measurement of association between two things (1904). Choose it if only the order matters.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predictions, targets = _quantities(snapshot, "spearman")
        columns = (values.reshape(len(values), -1) for values in (predictions, targets))
        return jnp.mean(jax.vmap(_rank_correlation, 1)(*columns))

    return Metric(score, higher_is_better=True, best=1.0, worst=-1.0, tasks=_TASKS)


def _rank_correlation(first: jax.Array, second: jax.Array) -> jax.Array:
    first, second = _centered_ranks(first), _centered_ranks(second)
    scale = jnp.sqrt(jnp.mean(first**2) * jnp.mean(second**2))
    return jnp.where(scale > 0, jnp.mean(first * second) / jnp.where(scale > 0, scale, 1), 0.0)


def _centered_ranks(values: jax.Array) -> jax.Array:
    """Returns the rank of each value among n, equal ones at their mean, from -1/2 to 1/2."""
    ordered = jnp.sort(values)
    first, end = (jnp.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (first + end - len(values)).astype(values.dtype) / (2 * len(values))


def _quantities(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array]:
    if snapshot.predictions.shape != snapshot.targets.shape:
        raise misfit(snapshot, name, "one shape, (n,) or (n, outputs)")
    return snapshot.predictions, snapshot.targets.astype(snapshot.predictions.dtype)
