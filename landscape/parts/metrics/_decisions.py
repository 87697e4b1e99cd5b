"""Decisions for one of two classes at a threshold that is fixed or chosen on validation data."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_in
from landscape.parts.metrics._metric import Snapshot, count, misfit

Threshold = float | Literal["validation"]
VALIDATION = "validation"


class Counts(NamedTuple):
    """Numbers of examples by decision and target: true and false positives and negatives."""

    hits: jax.Array
    false_alarms: jax.Array
    misses: jax.Array
    rejections: jax.Array


def cut(threshold: Threshold) -> float:
    """Returns the logit of a fixed threshold of the probability, NaN of a chosen one."""
    if threshold == VALIDATION:
        return math.nan
    if isinstance(threshold, str):
        raise UserError(f"`threshold` is {threshold!r}; expected a number or {VALIDATION!r}")
    return fixed_cut(threshold)


def fixed_cut(threshold: float) -> float:
    """Returns the logit of a threshold of the probability, which must be between 0 and 1."""
    check_in("(0, 1)", threshold=threshold)
    return math.log(threshold / (1.0 - threshold))


def is_binary(snapshot: Snapshot, name: str) -> bool:
    """Returns whether there is one logit per target, rather than one per class.

    Raises UserError if the shapes fit neither.
    """
    predictions, targets = snapshot.predictions, snapshot.targets
    if predictions.ndim == 1 and predictions.shape == targets.shape:
        return True
    if predictions.ndim == 2 and targets.shape in (predictions.shape, predictions.shape[:1]):
        return False
    expected = "one shape (n,) (binary), or logits (n, classes) and labels (n,) or shares of "
    raise misfit(snapshot, name, f"{expected}classes (n, classes) (multiclass)")


def labels(targets: jax.Array) -> jax.Array:
    """Returns int32 labels (n,): the class with the largest share if targets are (n, classes)."""
    hard = jnp.argmax(targets, axis=1) if targets.ndim == 2 else targets
    return hard.astype(jnp.int32)


def shares(targets: jax.Array, classes: int) -> jax.Array:
    """Returns the share of each class (n, classes): one-hot for labels (n,)."""
    return targets if targets.ndim == 2 else jax.nn.one_hot(targets.astype(jnp.int32), classes)


def refuse_threshold(name: str, threshold: Threshold) -> None:
    """Raises UserError for a threshold that several classes do not have."""
    if threshold != 0.5:
        raise UserError(
            f"metric `{name}` has `threshold: {threshold}`, but there are several classes",
            hint="remove it: the class with the largest logit is predicted",
        )


def counts_at(snapshot: Snapshot, cut: float | jax.Array) -> Counts:
    """Returns the counts of the decisions `logit > cut`."""
    decided, true = snapshot.predictions > cut, snapshot.targets > 0.5
    pairs = ((decided, true), (decided, ~true), (~decided, true), (~decided, ~true))
    return Counts(*(count(left & right) for left, right in pairs))


def best_cut(score: Callable[[Counts], jax.Array], snapshot: Snapshot) -> jax.Array:
    """Returns the cut with the best score: halfway between two logits, the lowest if several.

    Cuts below all logits and above all are tried too.
    """
    logits = snapshot.predictions.ravel()
    order = jnp.argsort(logits)
    logits, true = logits[order], (snapshot.targets.ravel() > 0.5)[order]
    cuts = jnp.concatenate([logits[:1] - 1, (logits[:-1] + logits[1:]) / 2, logits[-1:] + 1])
    start = jnp.zeros(1, jnp.int32)
    misses = jnp.concatenate([start, jnp.cumsum(true, dtype=jnp.int32)])
    rejections = jnp.concatenate([start, jnp.cumsum(~true, dtype=jnp.int32)])
    scores = score(Counts(misses[-1] - misses, rejections[-1] - rejections, misses, rejections))
    # Two logits that are equal cannot be separated.
    separates = jnp.concatenate([jnp.ones(1, bool), logits[:-1] < logits[1:], jnp.ones(1, bool)])
    scores = jnp.where(separates & ~jnp.isnan(scores), scores, -jnp.inf)
    return cuts[jnp.argmax(scores)]
