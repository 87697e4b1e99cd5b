"""Distribution losses: parameters `(batch, parameters)`, targets `(batch,)`; a value per example.

In the formulas y is the target, and m and s are mean and standard deviation of a Gaussian head: m
is column 0 and s = floor + softplus(column 1). Units: m, s and floor are in the unit of the target.
`floor` keeps the precision 1 / s finite: float32 is safe for errors up to 1e15 floors. Raises
UserError if the shapes do not fit the head or an option is out of range.
"""

import math

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts import _heads
from landscape.parts._options import check_in
from landscape.parts.losses._shapes import matched_head


def gaussian_nll(predictions: jax.Array, targets: jax.Array, *, floor: float = 1e-3) -> jax.Array:
    """log(s) + (y - m)^2 / (2 s^2) + log(2 pi) / 2; predictions (batch, 2), s above floor.

    The negative log-likelihood of normal noise whose size depends on the input. Source: Nix and
    Weigend 1994; softplus as in Lakshminarayanan et al. 2017. Choose it for calibrated errors
    bars if noise is normal; where s is large the gradient of m is small, so that hard examples may
    stay unfitted (see beta_nll).
    """
    head, targets = _gaussian(predictions, targets, floor)
    return _normal_nll(targets, head.mean, head.scale)


def beta_nll(
    predictions: jax.Array, targets: jax.Array, *, beta: float = 0.5, floor: float = 1e-3
) -> jax.Array:
    """s^(2 beta), without its gradient, times gaussian_nll; predictions (batch, 2).

    beta is in [0, 1]: 0 is gaussian_nll, and 1 gives m the gradient of the squared error. Values
    are comparable only at equal s. Source: Seitzer et al. 2022. Choose it if gaussian_nll
    fits the noise before the mean. s and floor as in gaussian_nll.
    """
    check_in("[0, 1]", beta=beta)
    head, targets = _gaussian(predictions, targets, floor)
    weights = jax.lax.stop_gradient(head.scale) ** (2 * beta)
    return weights * _normal_nll(targets, head.mean, head.scale)


def crps_gaussian(predictions: jax.Array, targets: jax.Array, *, floor: float = 1e-3) -> jax.Array:
    """s (z (2 F(z) - 1) + 2 f(z) - 1 / sqrt(pi)) with z = (y - m) / s; predictions (batch, 2).

    The continuous ranked probability score of a normal distribution, F and f its distribution and
    density; s is above floor. In the unit of the target. Source: Gneiting and Raftery 2007. Choose
    it instead of gaussian_nll if there are outliers: it grows as |y - m|, not as its square.
    """
    head, targets = _gaussian(predictions, targets, floor)
    z = (targets - head.mean) / head.scale
    spread = z * jax.lax.erf(z / 2**0.5) + 2 * jnp.exp(-(z**2) / 2) / (2 * math.pi) ** 0.5
    return head.scale * (spread - math.pi**-0.5)


def pinball(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    levels: tuple[float, ...] = (0.1, 0.5, 0.9),
) -> jax.Array:
    """mean over levels a of max(a u, (a - 1) u), u = target - quantile; (batch, levels).

    Column k of the predictions is the quantile at `levels[k]`, each in (0, 1). Quantiles may cross.
    In the unit of the target; for evenly spaced levels about half the CRPS. Source:
    Koenker and Bassett 1978. Choose it for intervals without an assumption on the noise.
    """
    for level in levels:
        check_in("(0, 1)", levels=level)
    predictions, targets = matched_head(predictions, targets, "levels")
    if predictions.shape[1] != len(levels):
        shape = f"predictions have shape {predictions.shape}"
        raise UserError(f"{shape}; expected one column for each of the {len(levels)} `levels`")
    shortfall = targets[:, None] - predictions
    shares = jnp.asarray(levels, predictions.dtype)[None]
    return jnp.mean(jnp.maximum(shares * shortfall, (shares - 1) * shortfall), axis=-1)


def mixture_nll(predictions: jax.Array, targets: jax.Array, *, floor: float = 1e-3) -> jax.Array:
    """-log(sum_k w_k N(y; m_k, s_k)); predictions (batch, 3 components).

    Columns: logits of the weights w, then the means, then the raw scales, each of all components;
    s_k = floor + softplus(raw scale). Unbounded below as floor goes to 0. Source: Bishop 1994
    (mixture density networks). Choose it if the target has several likely values for one input.
    """
    check_in("(0, inf)", floor=floor)
    predictions, targets = matched_head(predictions, targets, "3 components")
    head = _heads.mixture(predictions, floor)
    log_densities = -_normal_nll(targets[:, None], head.means, head.scales)
    return -jax.nn.logsumexp(head.log_weights + log_densities, axis=-1)


def _gaussian(
    predictions: jax.Array, targets: jax.Array, floor: float
) -> tuple[_heads.Gaussian, jax.Array]:
    check_in("(0, inf)", floor=floor)
    predictions, targets = matched_head(predictions, targets, "2")
    return _heads.gaussian(predictions, floor), targets


def _normal_nll(targets: jax.Array, mean: jax.Array, scale: jax.Array) -> jax.Array:
    z = (targets - mean) / scale
    return jnp.log(scale) + jnp.square(z) / 2 + math.log(2 * math.pi) / 2
