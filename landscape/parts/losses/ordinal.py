"""Ordinal losses: integer labels `(batch,)` of ordered classes; one value per example.

Predictions are of one of two forms. Thresholds `(batch, classes - 1)`: column k is the logit of
[label > k], and the class is the number of positive logits. Classes `(batch, classes)`: logits of a
softmax. In the formulas y is the label, z are the logits and p = softmax(z). Raises UserError if
the shapes do not fit, the labels are not integers or an option is out of range.
"""

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses._shapes import matched_labels


def coral(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """sum_k log(1 + exp(-(2 [y > k] - 1) z_k)); thresholds (batch, classes - 1).

    The binary cross entropy of every threshold: the logistic all-threshold loss. Source: Rennie and
    Srebro 2005; Cao et al. 2020 (CORAL, whose model shares all weights but the biases, so that
    probabilities are ordered). Choose it as the default: convex, and a mistake of two classes
    costs about twice that of one.
    """
    logits, above = _thresholds(predictions, targets)
    return jnp.sum(optax.sigmoid_binary_cross_entropy(logits, above), axis=-1)


def all_threshold_hinge(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """sum_k max(1 - (2 [y > k] - 1) z_k, 0); thresholds (batch, classes - 1).

    An upper bound of the absolute error of the class; gradient exactly 0 once all margins
    are above 1. Source: Rennie and Srebro 2005. Choose it for a large margin if no probability is
    needed.
    """
    logits, above = _thresholds(predictions, targets)
    return jnp.sum(optax.hinge_loss(logits, 2 * above - 1), axis=-1)


def emd(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """sum_k (P_k - [y <= k])^2, P_k = p_0 + ... + p_k; the squared earth mover's distance.

    Predictions (batch, classes); from 0 to classes - 1. Also known as the ranked probability
    score. Source: Epstein 1969; Hou et al. 2016. Choose it for softmax heads if distant
    mistakes cost more; it is bounded, so the gradient vanishes on confident mistakes.
    """
    logits, labels = matched_labels(predictions, targets, "batch, classes")
    cumulative = jnp.cumsum(jax.nn.softmax(logits), axis=-1)
    reached = (labels[:, None] <= jnp.arange(logits.shape[1], dtype=labels.dtype)[None]).astype(
        logits.dtype
    )
    return jnp.sum(jnp.square(cumulative - reached), axis=-1)


def soft_ordinal_labels(
    predictions: jax.Array, targets: jax.Array, *, sharpness: float = 2.0
) -> jax.Array:
    """-sum_k q_k log(p_k) with q = softmax(-sharpness |k - y|); predictions (batch, classes).

    Cross entropy with labels that spread over neighboring classes; its minimum is the entropy
    of q, not 0. Source: Diaz and Marathe 2019 (SORD). Choose it for softmax heads whose labels are
    wrong by a class now and then; a large sharpness is softmax_cross_entropy.
    """
    check_in("(0, inf)", sharpness=sharpness)
    logits, labels = matched_labels(predictions, targets, "batch, classes")
    distances = jnp.abs(jnp.arange(logits.shape[1], dtype=labels.dtype)[None] - labels[:, None])
    soft_labels = jax.nn.softmax(-sharpness * distances.astype(logits.dtype))
    return optax.softmax_cross_entropy(logits, soft_labels)


def softmax_cross_entropy(
    predictions: jax.Array, targets: jax.Array, *, label_smoothing: float = 0.0
) -> jax.Array:
    """-log(p_y), which ignores the order of the classes; predictions (batch, classes).

    label_smoothing as in the multiclass loss. Source: Bridle 1990. Choose it as the baseline:
    every mistake costs the same, however distant its class.
    """
    check_in("[0, 1]", label_smoothing=label_smoothing)
    logits, labels = matched_labels(predictions, targets, "batch, classes")
    one_hot = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(one_hot, label_smoothing))


def _thresholds(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the logits and [label > k], both `(batch, classes - 1)`."""
    logits, labels = matched_labels(predictions, targets, "batch, classes - 1")
    above = labels[:, None] > jnp.arange(logits.shape[1], dtype=labels.dtype)[None]
    return logits, above.astype(logits.dtype)
