"""Metrics of ordered classes: labels (n,) from 0.

`form` is that of the losses, by default that of the task. `thresholds`: predictions
(n, classes - 1), and the class is the number of positive logits. `classes`: predictions
(n, classes), and the class is the one with the largest logit.
"""

from typing import Literal

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import Metric, Snapshot, count, misfit

_TASKS = ("ordinal",)
Form = Literal["thresholds", "classes"]


def quadratic_kappa(form: Literal["thresholds", "classes"] | None = None) -> Metric:
    """1 - mean squared difference of classes / its value for independent classes.

    The independent classes have the same frequencies. From -1 to 1, 0 for a constant prediction;
    higher is better. NaN if predictions and labels are all one class. Equal to scikit-learn's
    `cohen_kappa_score` with quadratic weights. Source: Cohen, Weighted kappa (1968). Choose it as
    the default for ordered classes.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predicted, true = _classes(snapshot, "quadratic_kappa", form)
        observed = jnp.mean((predicted - true) ** 2)
        shift = jnp.mean(predicted) - jnp.mean(true)
        return 1 - observed / (jnp.var(predicted) + jnp.var(true) + shift**2)

    return Metric(score, higher_is_better=True, best=1.0, worst=-1.0, tasks=_TASKS)


def class_mae(form: Literal["thresholds", "classes"] | None = None) -> Metric:
    """Mean absolute difference of the predicted and the true class, in classes.

    Lower is better. Choose it if the classes are equally far apart.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        predicted, true = _classes(snapshot, "class_mae", form)
        return jnp.mean(jnp.abs(predicted - true))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def _classes(snapshot: Snapshot, name: str, form: Form | None) -> tuple[jax.Array, jax.Array]:
    logits, targets = snapshot.predictions, snapshot.targets
    if logits.ndim != 2 or logits.shape[:1] != targets.shape:
        raise misfit(snapshot, name, "logits (n, classes - 1) or (n, classes) and labels (n,)")
    is_classes = form == "classes"
    predicted = jnp.argmax(logits, axis=1) if is_classes else count(logits > 0, axis=1)
    return predicted.astype(logits.dtype), targets.astype(logits.dtype)
