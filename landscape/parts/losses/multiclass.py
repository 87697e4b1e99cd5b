"""Multiclass losses: logits and one-hot targets `(batch, classes)`; one value per example.

In the formulas z are the logits, p = softmax(z), t is the one-hot target and y the true class.
Targets may also be probabilities, as for smoothed or mixed labels. Raises UserError if targets are
integer labels, the shapes differ or an option is out of range.
"""

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses._shapes import matched_classes


def softmax_cross_entropy(
    predictions: jax.Array, targets: jax.Array, *, label_smoothing: float = 0.0
) -> jax.Array:
    """-log(p), with p the probability of the true class; optional label smoothing.

    -sum_j s_j log(p_j) with s = (1 - label_smoothing) t + label_smoothing / classes. Source: Bridle
    1990; Szegedy et al. 2016 (smoothing). Choose it as the default: convex in the logits, and its
    gradient p - s reaches every class.
    """
    check_in("[0, 1]", label_smoothing=label_smoothing)
    logits, targets = matched_classes(predictions, targets)
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(targets, label_smoothing))


def poly(predictions: jax.Array, targets: jax.Array, *, epsilon: float = 2.0) -> jax.Array:
    """-log(p) + epsilon (1 - p), with p the probability of the true class.

    epsilon >= -1, and 0 is softmax_cross_entropy. Source: Leng et al. 2022 (Poly-1). Choose it to
    tune the weight of nearly correct examples by one option: more above 0, less below.
    """
    check_in("[-1, inf)", epsilon=epsilon)
    logits, targets = matched_classes(predictions, targets)
    return optax.losses.poly_loss_cross_entropy(logits, targets, epsilon=epsilon)


def focal(predictions: jax.Array, targets: jax.Array, *, gamma: float = 2.0) -> jax.Array:
    """-(1 - p)^gamma log(p), with p the probability of the true class.

    gamma = 0 is softmax_cross_entropy. Source: Lin et al. 2017. Choose it if easy examples
    dominate the gradient; it is less confident than cross entropy.
    """
    check_in("[0, inf)", gamma=gamma)
    logits, targets = matched_classes(predictions, targets)
    log_wrong = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=-1, b=1 - targets)
    return jnp.exp(gamma * log_wrong) * optax.softmax_cross_entropy(logits, targets)


def brier(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """sum_j (p_j - t_j)^2, probabilities p against one-hot targets t; from 0 to 2.

    Source: Brier 1950. Choose it for calibrated probabilities and robustness to wrong labels: it
    is bounded, so the gradient vanishes on confident mistakes too.
    """
    logits, targets = matched_classes(predictions, targets)
    return jnp.sum(jnp.square(jax.nn.softmax(logits) - targets), axis=-1)


def multiclass_hinge(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """max_j(z_j + [j != y]) - z_y of logits z, true class y: the hard maximum.

    Only the true class and its strongest rival receive gradient, and none once the margin is
    above 1. Source: Crammer and Singer 2001. Choose it for a large margin if no probability is
    needed.
    """
    logits, targets = matched_classes(predictions, targets)
    return jnp.max(logits + (1 - targets), axis=-1) - jnp.sum(logits * targets, axis=-1)


def logsumexp_margin(
    predictions: jax.Array, targets: jax.Array, *, temperature: float = 1.0
) -> jax.Array:
    """T log(sum_j exp((z_j + [j != y]) / T)) - z_y of logits z, true class y, temperature T.

    The soft counterpart of multiclass_hinge, which it approaches from above as T goes to 0;
    every class receives gradient. Source: Gimpel and Smith 2010 (softmax-margin, T = 1). Choose it
    for a margin without dead examples.
    """
    check_in("(0, inf)", temperature=temperature)
    logits, targets = matched_classes(predictions, targets)
    raised = (logits + (1 - targets)) / temperature
    soft_maximum = temperature * jax.nn.logsumexp(raised, axis=-1)
    return soft_maximum - jnp.sum(logits * targets, axis=-1)


def absolute_probability_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """sum_j |p_j - t_j|, probabilities p against one-hot targets t; from 0 to 2.

    Equals 2 (1 - p_y). Source: Ghosh et al. 2017. Choose it if many labels are wrong: it
    tolerates symmetric label noise in theory, but trains slowly, since the gradient of a confident
    mistake vanishes.
    """
    logits, targets = matched_classes(predictions, targets)
    return jnp.sum(jnp.abs(jax.nn.softmax(logits) - targets), axis=-1)


def generalized_cross_entropy(
    predictions: jax.Array, targets: jax.Array, *, q: float = 0.7
) -> jax.Array:
    """(1 - p^q) / q, with p the probability of the true class and q in (0, 1].

    sum_j t_j (1 - p_j^q) / q. q near 0 is softmax_cross_entropy, q = 1 half the
    absolute_probability_error. Source: Zhang and Sabuncu 2018. Choose it to trade robustness to
    wrong labels against training speed.
    """
    check_in("(0, 1]", q=q)
    logits, targets = matched_classes(predictions, targets)
    return -jnp.sum(targets * jnp.expm1(q * jax.nn.log_softmax(logits)), axis=-1) / q


def symmetric_cross_entropy(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
) -> jax.Array:
    """alpha CE(target, p) + beta CE(p, target): cross entropy plus reverse cross entropy.

    -alpha sum_j t_j log(p_j) - beta sum_j p_j log(t_j), with log_zero < 0 for log(0): for one-hot
    targets the second sum is log_zero (1 - p_y). Source: Wang et al. 2019. Choose it if labels
    are wrong: beta adds robustness, alpha keeps a gradient on confident mistakes.
    """
    check_in("[0, inf)", alpha=alpha, beta=beta)
    check_in("(-inf, 0)", log_zero=log_zero)
    logits, targets = matched_classes(predictions, targets)
    log_targets = jnp.where(targets > 0, jnp.log(targets), log_zero)
    reverse = -jnp.sum(jax.nn.softmax(logits) * log_targets, axis=-1)
    return alpha * optax.softmax_cross_entropy(logits, targets) + beta * reverse


def zero_one(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """1 if argmax(logits) differs from argmax(target), else 0; gradient 0 everywhere.

    A tie goes to the first class. Source: the classification error, Vapnik 1998. Choose it as the
    negative control: it is the goal itself, and gradients cannot train it.
    """
    logits, targets = matched_classes(predictions, targets)
    return (jnp.argmax(logits, axis=-1) != jnp.argmax(targets, axis=-1)).astype(logits.dtype)
