"""Survival losses: risk and time `(batch,)`, with `events` `(batch,)`; a scalar.

events is 1 if the event was observed at the time, 0 if the time is censored. A prediction is a log
hazard: a higher risk means an earlier event. In the formulas s is the risk. Losses compare the
examples of a batch, so the value depends on the batch; memory is batch^2 numbers. Without an event,
or without a comparable pair, value and gradient are 0. Only differences of risks matter. Raises
UserError if the shapes differ or an option is out of range.
"""

from typing import Literal

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_in
from landscape.parts.losses._means import mean_where
from landscape.parts.losses._shapes import matched_field, matched_rows


def cox(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    events: jax.Array,
    ties: Literal["efron", "breslow"] = "efron",
) -> jax.Array:
    """mean over events i of log(sum of exp(s_j) with time_j >= time_i) - s_i; a scalar.

    The negative log partial likelihood, over the number of events. For tied events, `ties`
    "efron" subtracts a share of the tied from the sum, "breslow" does not. Source: Cox 1972;
    Breslow 1974; Efron 1977; Katzman et al. 2018 (DeepSurv). Choose it as the default: convex in
    the risk, and no assumption on the base hazard. Large batches; each sum is over the batch only.
    """
    if ties not in ("efron", "breslow"):
        raise UserError(f"`ties` is {ties!r}; expected efron or breslow")
    risks, times, observed = _survival(predictions, targets, events)
    weights = (times[None, :] >= times[:, None]).astype(risks.dtype)
    if ties == "efron":
        weights = weights - _tied_shares(times, observed, risks.dtype)
    rows = jnp.broadcast_to(risks[None, :], weights.shape)
    at_risk = jax.nn.logsumexp(rows, axis=1, b=weights)
    return mean_where(observed, at_risk - risks)


def concordance_hinge(
    predictions: jax.Array, targets: jax.Array, *, events: jax.Array, margin: float = 1.0
) -> jax.Array:
    """mean over pairs, i an event before time_j, of max(margin - (s_i - s_j), 0); a scalar.

    With margin 1 an upper bound of 1 - concordance index; pairs whose order is not known because of
    censoring are left out. Source: Raykar et al. 2007; Van Belle et al. 2007 (survival support
    vector machine). Choose it if the concordance index is reported and no hazard is needed.
    """
    check_in("(0, inf)", margin=margin)
    pairs, differences = _comparable(predictions, targets, events)
    return mean_where(pairs, jax.nn.relu(margin - differences))


def concordance_logistic(
    predictions: jax.Array, targets: jax.Array, *, events: jax.Array
) -> jax.Array:
    """mean over pairs, i an event before time_j, of log(1 + exp(-(s_i - s_j))); a scalar.

    Divided by log(2) an upper bound of 1 - concordance index. Source: Raykar et
    al. 2007. Choose it instead of concordance_hinge for a gradient that is continuous.
    """
    pairs, differences = _comparable(predictions, targets, events)
    return mean_where(pairs, jax.nn.softplus(-differences))


def _survival(
    predictions: jax.Array, targets: jax.Array, events: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    risks, times = matched_rows(predictions, targets)
    return risks, times, matched_field("events", events, times) > 0


def _comparable(
    predictions: jax.Array, targets: jax.Array, events: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns at [i, j] whether i is an event that is known to come before j, and s_i - s_j."""
    risks, times, observed = _survival(predictions, targets, events)
    earlier = times[:, None] < times[None, :]
    censored_at_the_time = (times[:, None] == times[None, :]) & ~observed[None, :]
    pairs = observed[:, None] & (earlier | censored_at_the_time)
    return pairs, risks[:, None] - risks[None, :]


def _tied_shares(times: jax.Array, observed: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """Returns l / d at [i, j] if j is one of d events at the time of i, the l-th, else 0.

    l counts from 0 by position.
    """
    tied = (times[:, None] == times[None, :]) & observed[:, None] & observed[None, :]
    position = jnp.arange(len(times))
    before = jnp.sum((tied & (position[None, :] < position[:, None])).astype(dtype), axis=1)
    number = jnp.maximum(jnp.sum(tied.astype(dtype), axis=1), 1)
    return jnp.where(tied, (before / number)[:, None], 0)
