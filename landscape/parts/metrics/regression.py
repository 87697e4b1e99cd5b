"""Metrics of predicted quantities."""

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import Metric, Snapshot, misfit


def r2() -> Metric:
    """R2 = 1 - sum (target - prediction)^2 / sum (target - mean target)^2, mean over outputs.

    Predictions and targets (n,) or (n, outputs). 1 is perfect, 0 equals predicting the mean, and
    there is no lower bound; higher is better. An output with constant targets scores 1 if predicted
    exactly, else 0. Equal to scikit-learn's `r2_score`. Choose it for a score without units.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predictions, targets = _quantities(snapshot, "r2")
        residual = jnp.sum((targets - predictions) ** 2, axis=0)
        total = jnp.sum((targets - jnp.mean(targets, axis=0, keepdims=True)) ** 2, axis=0)
        constant = jnp.max(targets, axis=0) == jnp.min(targets, axis=0)
        exact = jnp.where(residual == 0, 1.0, 0.0)
        scores = jnp.where(constant, exact, 1 - residual / jnp.where(constant, 1, total))
        return jnp.mean(scores)

    return Metric(score, higher_is_better=True, best=1.0)


def rmse() -> Metric:
    """Root of the mean squared difference of prediction and target, mean over outputs.

    Predictions and targets (n,) or (n, outputs). In the unit of the dataset's targets: standard
    deviations if they are standardized. Lower is better. Equal to scikit-learn's
    `root_mean_squared_error`. Choose it for errors in the unit of the targets.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predictions, targets = _quantities(snapshot, "rmse")
        return jnp.mean(jnp.sqrt(jnp.mean((targets - predictions) ** 2, axis=0)))

    return Metric(score, higher_is_better=False, best=0.0)


def _quantities(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array]:
    if snapshot.predictions.shape != snapshot.targets.shape:
        raise misfit(snapshot, name, "one shape, (n,) or (n, outputs)")
    return snapshot.predictions, snapshot.targets.astype(snapshot.predictions.dtype)
