"""Metrics of the predicted distribution of a quantity: predictions (n, parameters), targets (n,).

`head` states the columns as the losses read them: `gaussian` is mean and raw scale, `mixture` three
columns per component, `quantiles` one column per level; by default that of the task. `floor` as in
the losses. Values are in the
unit of the dataset's targets: standard deviations if they are standardized.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jax.scipy.stats import norm

from landscape.errors import UserError
from landscape.parts import _heads
from landscape.parts._options import check_in
from landscape.parts.metrics._metric import Metric, Snapshot, misfit

_TASKS = ("distribution",)


def crps(head: Literal["gaussian", "mixture"] | None = None, floor: float = 1e-3) -> Metric:
    """Mean of the integral of (F(x) - [x >= target])^2, F the predicted distribution function.

    The continuous ranked probability score; of a prediction without spread it is the absolute
    error. Lower is better. Equal to scoringrules' `crps_normal` and `crps_mixnorm`. Source:
    Gneiting and Raftery, Strictly proper scoring rules (2007); Grimit et al. (2006) for mixtures.
    Choose it for distributions as a whole; for quantiles use `pinball`.
    """
    head = _checked_head("crps", head, ("gaussian", "mixture"), floor)

    def score(snapshot: Snapshot) -> jax.Array:
        mixture, targets = _mixture(snapshot, "crps", head, floor)
        weights, means = jnp.exp(mixture.log_weights), mixture.means
        variances = mixture.scales**2
        error = _folded_mean(targets[:, None] - means, variances)
        spread = _folded_mean(
            means[:, :, None] - means[:, None, :], variances[:, :, None] + variances[:, None, :]
        )
        pairs = weights[:, :, None] * weights[:, None, :]
        return jnp.mean(jnp.sum(weights * error, 1) - jnp.sum(pairs * spread, (1, 2)) / 2)

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def log_score(head: Literal["gaussian", "mixture"] | None = None, floor: float = 1e-3) -> Metric:
    """Mean of -log of the predicted density at the target.

    Lower is better, without a lower bound. Source: Good, Rational decisions (1952). Choose it
    instead of `crps` if improbable targets must count strongly.
    """
    head = _checked_head("log_score", head, ("gaussian", "mixture"), floor)

    def score(snapshot: Snapshot) -> jax.Array:
        mixture, targets = _mixture(snapshot, "log_score", head, floor)
        densities = norm.logpdf(targets[:, None], mixture.means, mixture.scales)
        return -jnp.mean(jax.nn.logsumexp(mixture.log_weights + densities, axis=1))

    return Metric(score, higher_is_better=False, tasks=_TASKS)


def pinball(
    levels: tuple[float, ...] = (0.1, 0.5, 0.9),
    head: Literal["quantiles", "gaussian"] | None = None,
    floor: float = 1e-3,
) -> Metric:
    """Mean over examples and levels a of max(a u, (a - 1) u), u = target - quantile.

    Lower is better. Equal to the mean of scikit-learn's `mean_pinball_loss` over the levels.
    Source: Koenker and Bassett, Regression quantiles (1978). Choose it for quantiles.
    """
    head = _checked_head("pinball", head, ("quantiles", "gaussian"), floor)
    _check_levels(levels)

    def score(snapshot: Snapshot) -> jax.Array:
        quantiles, targets = _quantiles(snapshot, "pinball", head, levels, floor)
        above = targets[:, None] - quantiles
        shares = jnp.asarray(levels, quantiles.dtype)[None]
        return jnp.mean(jnp.maximum(shares * above, (shares - 1) * above))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def coverage_gap(
    levels: tuple[float, ...] = (0.1, 0.5, 0.9),
    head: Literal["quantiles", "gaussian"] | None = None,
    floor: float = 1e-3,
) -> Metric:
    """|share of targets between the first and the last quantile - difference of their levels|.

    From 0 to 1, lower is better: 0 if an interval of 80 % contains 80 % of the targets. Choose it
    for calibration, beside a score of sharpness such as `pinball`.
    """
    head = _checked_head("coverage_gap", head, ("quantiles", "gaussian"), floor)
    _check_levels(levels)

    def score(snapshot: Snapshot) -> jax.Array:
        quantiles, targets = _quantiles(snapshot, "coverage_gap", head, levels, floor)
        inside = (quantiles[:, 0] <= targets) & (targets <= quantiles[:, -1])
        return jnp.abs(jnp.mean(inside.astype(quantiles.dtype)) - (levels[-1] - levels[0]))

    return Metric(score, higher_is_better=False, best=0.0, worst=1.0, tasks=_TASKS)


def _checked_head(name: str, head: str | None, heads: tuple[str, ...], floor: float) -> Any:
    """Returns the head, the first of the metric's if the task has none."""
    check_in("(0, inf)", floor=floor)
    if head not in (None, *heads):
        hint = "use `crps`" if "quantiles" in heads else "use `pinball`"
        raise UserError(
            f"metric `{name}` does not read a {head} head; expected {' or '.join(heads)}", hint=hint
        )
    return head or heads[0]


def _check_levels(levels: tuple[float, ...]) -> None:
    for level in levels:
        check_in("(0, 1)", levels=level)
    if len(levels) < 2 or list(levels) != sorted(set(levels)):
        raise UserError(f"`levels` is {list(levels)}; expected two or more numbers that rise")


def _folded_mean(mean: jax.Array, variance: jax.Array) -> jax.Array:
    """Returns E|X| of a normal X."""
    scale = jnp.sqrt(variance)
    z = mean / scale
    return 2 * scale * norm.pdf(z) + mean * (2 * norm.cdf(z) - 1)


def _mixture(
    snapshot: Snapshot, name: str, head: str, floor: float
) -> tuple[_heads.Mixture, jax.Array]:
    predictions, targets = _distributions(snapshot, name)
    if head == "mixture":
        return _heads.mixture(predictions, floor), targets
    gaussian = _heads.gaussian(predictions, floor)
    means, scales = gaussian.mean[:, None], gaussian.scale[:, None]
    return _heads.Mixture(jnp.zeros_like(means), means, scales), targets


def _quantiles(
    snapshot: Snapshot, name: str, head: str, levels: tuple[float, ...], floor: float
) -> tuple[jax.Array, jax.Array]:
    predictions, targets = _distributions(snapshot, name)
    if head == "gaussian":
        gaussian = _heads.gaussian(predictions, floor)
        z = ndtri(jnp.asarray(levels, predictions.dtype))
        return gaussian.mean[:, None] + gaussian.scale[:, None] * z[None], targets
    if predictions.shape[1] != len(levels):
        raise UserError(
            f"metric `{name}` has {len(levels)} `levels`, but predictions have "
            f"{predictions.shape[1]} columns",
            hint="set `levels` as in the loss, or `head: gaussian`",
        )
    return predictions, targets


def _distributions(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array]:
    predictions, targets = snapshot.predictions, snapshot.targets
    if predictions.ndim != 2 or predictions.shape[:1] != targets.shape:
        raise misfit(snapshot, name, "predictions (n, parameters) and targets (n,)")
    return predictions, targets.astype(predictions.dtype)
