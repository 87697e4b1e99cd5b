"""Binary losses: logits and targets 0 or 1, `(batch,)` or `(batch, outputs)`, elementwise.

In the formulas p = sigmoid(logit) is the probability of class 1, and margin = (2 target - 1) logit
is positive if the prediction is correct; in the text z, t and m are logit, target and margin. Every
loss returns the shape of its inputs. Raises UserError if the shapes differ or an option is out of
range.
"""

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses._shapes import matched


def sigmoid_cross_entropy(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """log(1 + exp(-margin)), the negative log-likelihood of a 0/1 target.

    Targets may be probabilities. Source: Cox 1958. Choose it as the default: convex in the logit,
    calibrated, and its gradient p - t does not vanish as long as the prediction is wrong.
    """
    return optax.sigmoid_binary_cross_entropy(*matched(predictions, targets))


def clipped_cross_entropy(
    predictions: jax.Array, targets: jax.Array, *, epsilon: float = 1e-7
) -> jax.Array:
    """Cross entropy of sigmoid(logit) clipped to [epsilon, 1 - epsilon], as Keras computes it.

    -t log(c) - (1 - t) log(1 - c) with the clipped probability c, at most -log(epsilon); the
    gradient is exactly 0 where p is clipped, even if the prediction is wrong (beyond |z| = 16 by
    default). epsilon must be at least half the dtype's resolution, else 1 - epsilon would be 1.
    Source: binary_crossentropy on probabilities, Keras, Chollet 2015. Choose it to reproduce a
    Keras program; otherwise sigmoid_cross_entropy.
    """
    predictions, targets = matched(predictions, targets)
    check_in(f"[{jnp.finfo(predictions.dtype).epsneg}, 0.5]", epsilon=epsilon)
    clipped = jnp.clip(jax.nn.sigmoid(predictions), epsilon, 1 - epsilon)
    return -targets * jnp.log(clipped) - (1 - targets) * jnp.log(1 - clipped)


def focal(
    predictions: jax.Array, targets: jax.Array, *, gamma: float = 2.0, alpha: float | None = None
) -> jax.Array:
    """-a (1 - q)^gamma log(q), with q the probability of the true class.

    q = sigmoid(m), and a = alpha for t = 1, else 1 - alpha. Without alpha, a = 1; gamma = 0 is then
    sigmoid_cross_entropy. Source: Lin et al. 2017. Choose it if easy examples of a frequent class
    dominate the gradient; probabilities are not calibrated.
    """
    check_in("[0, inf)", gamma=gamma)
    if alpha is not None:
        check_in("(0, 1)", alpha=alpha)
    return optax.sigmoid_focal_loss(*matched(predictions, targets), alpha=alpha, gamma=gamma)


def brier(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """(sigmoid(logit) - target)^2.

    Source: Brier 1950. Choose it for calibrated probabilities and robustness to wrong labels: it
    is bounded by 1, so the gradient vanishes on confident mistakes too.
    """
    predictions, targets = matched(predictions, targets)
    return jnp.square(jax.nn.sigmoid(predictions) - targets)


def hinge(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """max(1 - margin, 0); gradient exactly 0 for margins above 1.

    Source: Cortes and Vapnik 1995. Choose it for a large margin if no probability is needed.
    """
    return optax.hinge_loss(*_signed(predictions, targets))


def squared_hinge(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """max(1 - margin, 0)^2.

    Source: Tang 2013 (L2 support vector machine). Choose it instead of hinge for a continuous
    gradient; it is more sensitive to wrong labels.
    """
    return jnp.square(optax.hinge_loss(*_signed(predictions, targets)))


def smoothed_hinge(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """(1 - margin)^2 / 2 for margins in [0, 1], 1/2 - margin below, 0 above.

    Source: Rennie and Srebro 2005. Choose it for a continuous gradient that stays bounded by 1.
    """
    shortfall = optax.hinge_loss(*_signed(predictions, targets))
    return optax.huber_loss(shortfall, delta=1.0)


def exponential(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """exp(-margin).

    Source: Freund and Schapire 1997 (AdaBoost); the minimizer is half the log-odds. Choose it to
    study wrong labels: their gradient grows exponentially, and below m = -88 the value is inf in
    float32, so the run diverges.
    """
    logits, signs = _signed(predictions, targets)
    return jnp.exp(-signs * logits)


def savage(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """1 / (1 + exp(2 margin))^2.

    Equal to brier of twice the logit: the minimizer is half the log-odds. Source: Masnadi-Shirazi
    and Vasconcelos 2008. Choose it if labels are wrong: it is bounded by 1, so the gradient of far
    outliers vanishes; it is not convex.
    """
    logits, signs = _signed(predictions, targets)
    return jnp.square(jax.nn.sigmoid(-2 * signs * logits))


def zero_one(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """1 if [logit > 0] differs from [target > 1/2], else 0; gradient 0 everywhere.

    Source: the classification error, Vapnik 1998. Choose it as the negative control: it is the
    goal itself, and gradients cannot train it.
    """
    predictions, targets = matched(predictions, targets)
    return ((predictions > 0) != (targets > 0.5)).astype(predictions.dtype)


def _signed(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    predictions, targets = matched(predictions, targets)
    return predictions, 2 * targets - 1
