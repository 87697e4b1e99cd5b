"""Sequence losses: logits `(batch, time, classes)`, integer labels `(batch, time)`; per position.

`mask` `(batch, time)` is 0 where a position is padding; without it all count. Values are 0 where
the mask is 0 and multiplied by time / counted positions elsewhere, so that the mean over a sequence
is that over its counted positions, and each sequence has the same weight. A sequence without any
has value and gradient 0. In the formulas p is the probability of the label. Raises UserError if the
shapes do not fit, the labels are not integers or an option is out of range.
"""

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses._means import scaled_by_mask
from landscape.parts.losses._shapes import matched_field, matched_labels


def softmax_cross_entropy(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    label_smoothing: float = 0.0,
) -> jax.Array:
    """-log(p), with p the probability of the label; one value per position, (batch, time).

    With label_smoothing, the one-hot label is mixed with the uniform distribution. Source:
    Bengio et al. 2003 (next word); Szegedy et al. 2016 (smoothing). Choose it as the default:
    exp of its mean is the perplexity if all sequences have the same length.
    """
    check_in("[0, 1]", label_smoothing=label_smoothing)
    logits, one_hot, mask = _positions(predictions, targets, mask)
    smooth = optax.smooth_labels(one_hot, label_smoothing)
    return scaled_by_mask(optax.softmax_cross_entropy(logits, smooth), mask)


def focal(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    gamma: float = 2.0,
) -> jax.Array:
    """-(1 - p)^gamma log(p), with p the probability of the label; one value per position.

    gamma = 0 is softmax_cross_entropy. Source: Lin et al. 2017. Choose it if a frequent label, such
    as "outside of any name", dominates the gradient.
    """
    check_in("[0, inf)", gamma=gamma)
    logits, one_hot, mask = _positions(predictions, targets, mask)
    log_wrong = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=-1, b=1 - one_hot)
    values = jnp.exp(gamma * log_wrong) * optax.softmax_cross_entropy(logits, one_hot)
    return scaled_by_mask(values, mask)


def _positions(
    predictions: jax.Array, targets: jax.Array, mask: jax.Array | None
) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    logits, labels = matched_labels(predictions, targets, "batch, time, classes")
    one_hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return logits, one_hot, None if mask is None else matched_field("mask", mask, labels)
