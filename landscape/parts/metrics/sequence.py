"""Metrics of sequences: logits (n, time, classes) and labels (n, time).

Positions whose `mask` (n, time) is 0 do not count; without a mask all do.
"""

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import Metric, Snapshot, mean_of, misfit

_TASKS = ("sequence",)


def token_accuracy() -> Metric:
    """Share of the counted positions whose label has the largest logit.

    From 0 to 1, higher is better. Choose it for labels of positions; frequent labels dominate.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        logits, labels, counted = _positions(snapshot, "token_accuracy")
        correct = jnp.argmax(logits, axis=2) == labels
        return mean_of(correct.astype(logits.dtype), counted)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)


def perplexity() -> Metric:
    """exp of the mean over the counted positions of -log of the probability of the label.

    From 1 up, the number of classes for equal probabilities; lower is better. Source: Jelinek et
    al., Perplexity, a measure of the difficulty of speech recognition tasks (1977). Choose it for
    the next token.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        logits, labels, counted = _positions(snapshot, "perplexity")
        log_probabilities = jax.nn.log_softmax(logits)
        of_labels = jnp.take_along_axis(log_probabilities, labels[..., None], axis=2)[..., 0]
        return jnp.exp(-mean_of(of_labels, counted))

    return Metric(score, higher_is_better=False, best=1.0, tasks=_TASKS)


def _positions(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array, jax.Array]:
    logits, targets = snapshot.predictions, snapshot.targets
    if logits.ndim != 3 or logits.shape[:2] != targets.shape:
        raise misfit(snapshot, name, "logits (n, time, classes) and labels (n, time)")
    mask = snapshot.fields.get("mask")
    counted = jnp.ones(targets.shape, bool) if mask is None else mask > 0
    return logits, targets.astype(jnp.int32), counted
