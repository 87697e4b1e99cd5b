"""Regression losses: predictions and targets `(batch,)` or `(batch, outputs)`, elementwise.

In the formulas error = prediction - target, in the text e. Every loss returns the shape of its
inputs. Raises UserError if the shapes differ or an option is out of range. The options delta,
epsilon, scale and limit are in the unit of the target.
"""

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses._shapes import matched


def squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """error^2.

    Twice `optax.losses.l2_loss`, so its gradient is 2 e. Source: Legendre 1805; Gauss 1809 (normal
    noise). Choose it to predict the mean if large errors are real.
    """
    return optax.squared_error(*matched(predictions, targets))


def absolute_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """|error|; gradient its sign, and 0 at 0.

    Source: Laplace 1774. Choose it to predict the median; the gradient does not shrink near the
    optimum, so training with a constant learning rate keeps oscillating.
    """
    predictions, targets = matched(predictions, targets)
    error = predictions - targets
    # Not jnp.abs: its derivative at 0 is 1, so a perfect prediction would get a gradient.
    return jnp.maximum(error, -error)


def huber(predictions: jax.Array, targets: jax.Array, *, delta: float = 1.0) -> jax.Array:
    """error^2 / 2 for |error| <= delta, else delta |error| - delta^2 / 2.

    Source: Huber 1964. Choose it for noise with outliers beyond delta: their gradient is bounded
    by delta, and never zero.
    """
    check_in("(0, inf)", delta=delta)
    return optax.huber_loss(*matched(predictions, targets), delta=delta)


def pseudo_huber(predictions: jax.Array, targets: jax.Array, *, delta: float = 1.0) -> jax.Array:
    """delta^2 (sqrt(1 + (error / delta)^2) - 1).

    About e^2 / 2 near zero and delta |e| far from it. Source: Charbonnier et al. 1994. Choose it
    instead of huber if second derivatives must be continuous, as for curvature.
    """
    check_in("(0, inf)", delta=delta)
    predictions, targets = matched(predictions, targets)
    error = predictions - targets
    # Without the difference sqrt(1 + z) - 1, which is 0 in float32 below |e| = 3e-4 delta.
    return jnp.square(error) / (1 + jnp.sqrt(1 + jnp.square(error / delta)))


def log_cosh(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """log(cosh(error)), without overflow.

    About e^2 / 2 near zero and |e| - log 2 far from it; gradient tanh(e). The value has the
    absolute precision of log 2 (6e-8 in float32), the gradient is precise. Source: Green 1990.
    Choose it as a smooth huber without an option; it depends on the unit of the target.
    """
    return optax.log_cosh(*matched(predictions, targets))


def quantile(predictions: jax.Array, targets: jax.Array, *, level: float = 0.5) -> jax.Array:
    """max(level u, (level - 1) u) with u = target - prediction; the pinball loss.

    Its minimizer is the quantile at `level`, in (0, 1); level 0.5 is half the absolute error.
    Source: Koenker and Bassett 1978. Choose it for prediction intervals, or if errors above and
    below have different costs.
    """
    check_in("(0, 1)", level=level)
    predictions, targets = matched(predictions, targets)
    shortfall = targets - predictions
    return jnp.maximum(level * shortfall, (level - 1) * shortfall)


def epsilon_insensitive(
    predictions: jax.Array, targets: jax.Array, *, epsilon: float = 0.1
) -> jax.Array:
    """max(|error| - epsilon, 0); gradient exactly 0 within epsilon.

    Source: Vapnik 1995 (support vector regression). Choose it if errors up to epsilon do not
    matter. Examples within epsilon receive no gradient by design.
    """
    check_in("[0, inf)", epsilon=epsilon)
    predictions, targets = matched(predictions, targets)
    return jax.nn.relu(jnp.abs(predictions - targets) - epsilon)


def cauchy(predictions: jax.Array, targets: jax.Array, *, scale: float = 1.0) -> jax.Array:
    """log(1 + (error / scale)^2 / 2), also known as Lorentzian; barron with alpha = 0.

    The negative log-likelihood of Cauchy noise whose half width at half maximum is sqrt(2) scale.
    Source: Black and Anandan 1996. Choose it for heavy-tailed noise: the gradient of an outlier
    falls as 2 / e, so it is not convex and learns slowly from a bad start.
    """
    check_in("(0, inf)", scale=scale)
    predictions, targets = matched(predictions, targets)
    return jnp.log1p(jnp.square((predictions - targets) / scale) / 2)


def barron(
    predictions: jax.Array, targets: jax.Array, *, alpha: float = 1.0, scale: float = 1.0
) -> jax.Array:
    """(b / alpha) ((1 + (error / scale)^2 / b)^(alpha / 2) - 1) with b = |alpha - 2|.

    The general robust loss; the limits alpha = 2: (e / scale)^2 / 2, alpha = 0: cauchy, and alpha =
    -inf: 1 - exp(-(e / scale)^2 / 2) (Welsch) are exact, and values close to them are
    stable. alpha = 1 is pseudo_huber / scale^2, alpha = -2 Geman-McClure. Dimensionless. Source:
    Barron 2019. Choose it to go from convex (alpha >= 1) to redescending losses by one option.
    """
    check_in("(0, inf)", scale=scale)
    check_in("[-inf, inf)", alpha=alpha)
    predictions, targets = matched(predictions, targets)
    half = jnp.square((predictions - targets) / scale) / 2
    power = jnp.asarray(alpha, half.dtype)
    limits = [power == 2, jnp.abs(power) < jnp.finfo(half.dtype).eps, power == -jnp.inf]
    values = [half, jnp.log1p(half), -jnp.expm1(-half)]
    # A branch that is not taken must be finite too, else the gradient would be NaN.
    taken = limits[0] | limits[1] | limits[2]
    general = _barron(half, jnp.where(taken, 1, power))
    for limit, value in zip(limits, values, strict=True):
        general = jnp.where(limit, value, general)
    return general


def clipped_squared_error(
    predictions: jax.Array, targets: jax.Array, *, limit: float = 1.0
) -> jax.Array:
    """min(|error|, limit)^2; gradient exactly 0 beyond the limit.

    Source: the truncated quadratic of Blake and Zisserman 1987. Choose it to discard outliers
    altogether; an example that starts beyond the limit has no gradient until others move it.
    """
    check_in("(0, inf)", limit=limit)
    predictions, targets = matched(predictions, targets)
    return jnp.square(jnp.clip(predictions - targets, -limit, limit))


def _barron(half: jax.Array, power: jax.Array) -> jax.Array:
    gap = jnp.abs(power - 2)
    return gap / power * jnp.expm1(power / 2 * jnp.log1p(2 * half / gap))
