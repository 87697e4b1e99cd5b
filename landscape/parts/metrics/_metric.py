"""The interface of metrics, and arithmetic that several of them share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape.errors import UserError


class Snapshot(NamedTuple):
    """The state of a model at one step; all fields but the first two are optional.

    predictions: raw outputs on the whole evaluation set, (n, ...) as the task states
    targets: as in `Dataset`: labels (n,) for multiclass, else shaped like the predictions
    fields: further arrays of the examples by name, (n, ...) each: `weights`, `mask`, `groups`
    prediction_gradients: gradient of the sum of the loss with respect to the predictions
    params, gradients, updates: pytrees of one structure: parameters, gradient of the risk on the
        batch (what the optimizer receives), what the optimizer adds to the parameters
    evaluation_gradients: gradient of the risk on the evaluation set
    filter_axes: pytree like params of the static axis of filters or output units, None for biases
        and normalization parameters
    """

    predictions: jax.Array
    targets: jax.Array
    fields: Mapping[str, jax.Array] = {}
    prediction_gradients: jax.Array | None = None
    params: Any = None
    gradients: Any = None
    updates: Any = None
    evaluation_gradients: Any = None
    filter_axes: Any = None


Measurement = Callable[[Snapshot], dict[str, jax.Array]]


@dataclass(frozen=True)
class Metric:
    """A score of predictions, `metric(snapshot) -> scalar`, by which losses can be compared.

    `function` maps a snapshot to a scalar and can be jitted. `best` and `worst` are the ends of its
    range, None if it has no such end. `tasks` are the tasks for which it is defined, all if empty.
    The score is NaN if a prediction is NaN, so that a diverged model has no score.

    A metric with `tune` has a threshold of the logit of class 1 that is chosen from data:
    `tune(snapshot)` returns the threshold and `function(snapshot, threshold)` the score.
    """

    function: Callable[..., jax.Array]
    higher_is_better: bool
    best: float | None = None
    worst: float | None = None
    tasks: tuple[str, ...] = ()
    tune: Callable[[Snapshot], jax.Array] | None = None

    def __call__(self, snapshot: Snapshot, tuned_on: Snapshot | None = None) -> jax.Array:
        """Returns the score, NaN if a prediction is NaN.

        A metric with `tune` uses the threshold of `tuned_on`, else of the snapshot.
        """
        score = self.score(snapshot, tuned_on)
        return jnp.where(jnp.any(jnp.isnan(snapshot.predictions)), jnp.nan, score)

    def score(self, snapshot: Snapshot, tuned_on: Snapshot | None = None) -> jax.Array:
        """Returns the score as `function` does, whatever the predictions are."""
        if self.tune is None:
            return self.function(snapshot)
        threshold = self.tune(snapshot if tuned_on is None else tuned_on)
        return self.function(snapshot, threshold)


def columns(metrics: Mapping[str, Metric]) -> Measurement:
    """Returns the measurement of all metrics, by their names."""

    def measure(snapshot: Snapshot) -> dict[str, jax.Array]:
        return {name: metric(snapshot) for name, metric in metrics.items()}

    return measure


def misfit(snapshot: Snapshot, name: str, expected: str) -> UserError:
    """Returns the error for predictions and targets whose shapes do not fit the metric."""
    return UserError(
        f"metric `{name}` got predictions {snapshot.predictions.shape} and targets "
        f"{snapshot.targets.shape}; expected {expected}"
    )


def one_per_example(snapshot: Snapshot, name: str, expected: str) -> tuple[jax.Array, jax.Array]:
    """Returns predictions and targets; raises UserError unless both are (n,)."""
    if snapshot.predictions.ndim != 1 or snapshot.predictions.shape != snapshot.targets.shape:
        raise misfit(snapshot, name, expected)
    return snapshot.predictions, snapshot.targets


def quotient(numerator: jax.Array, denominator: jax.Array, empty: float) -> jax.Array:
    """Returns the quotient of two counts, `empty` if the denominator is 0."""
    return jnp.where(denominator == 0, empty, numerator / jnp.maximum(denominator, 1))


def count(condition: jax.Array, axis: int | tuple[int, ...] | None = None) -> jax.Array:
    """Returns the exact number of true values."""
    return jnp.sum(condition, axis=axis, dtype=jnp.int32)


def field(snapshot: Snapshot, metric: str, name: str) -> jax.Array:
    """Returns a further array of the examples; raises UserError if the dataset does not have it."""
    if name not in snapshot.fields:
        listed = ", ".join(f"`{other}`" for other in snapshot.fields) or "no further arrays"
        raise UserError(
            f"metric `{metric}` needs the array `{name}` of the dataset, which has {listed}",
            hint=f"pass `fields={{'{name}': ...}}` to the dataset, or use another metric",
        )
    return snapshot.fields[name]


def mean_of(values: jax.Array, counted: jax.Array) -> jax.Array:
    """Returns the mean of the values that count; NaN if none does."""
    return jnp.sum(jnp.where(counted, values, 0)) / jnp.sum(counted.astype(values.dtype))


def map_rows(function: Callable[..., Any], *arrays: jax.Array) -> Any:
    """Returns `function` of each row, a few at a time: n rows never need n^2 numbers of memory."""
    return jax.lax.map(lambda row: function(*row), arrays, batch_size=64)
