"""Ranking losses: scores and relevance `(batch,)`, with `groups` `(batch,)` of integers.

A group is the documents of one query; only documents of one group are compared, and a higher score
means a better place. Relevance is 0 or more. In the formulas s are the scores, r the relevance, and
a pair (i, j) is two documents of one group with r_i > r_j. Without a pair, value and gradient of
the losses of pairs are 0. Except for pointwise_squared_error, a loss returns a scalar, which
depends on the batch; comparing needs batch^2 numbers of memory. Raises UserError if the shapes
differ.
"""

import math

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses._means import mean_where
from landscape.parts.losses._shapes import matched_field, matched_rows


def pointwise_squared_error(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """(s - r)^2, without regard to groups; one value per document, (batch,).

    Source: Cossock and Zhang 2006 (ranking by regression). Choose it as the baseline: it spends
    capacity on the level of relevance, which does not matter within a group.
    """
    return optax.squared_error(*matched_rows(predictions, targets))


def ranknet(predictions: jax.Array, targets: jax.Array, *, groups: jax.Array) -> jax.Array:
    """mean over pairs of log(1 + exp(s_j - s_i)); a scalar.

    All pairs have the same weight, so that large groups dominate. Source: Burges et al. 2005.
    Choose it as the default: convex, and it counts pairs in the wrong order, at any place.
    """
    scores, relevance = matched_rows(predictions, targets)
    pairs = _pairs(relevance, _same_group(groups, relevance))
    return mean_where(pairs, jax.nn.softplus(_differences(-scores)))


def listnet(predictions: jax.Array, targets: jax.Array, *, groups: jax.Array) -> jax.Array:
    """mean over groups of -sum_i q_i log(p_i), p and q = softmax of s and of r in the group.

    A scalar. A group of one document adds 0; its minimum is the entropy of q, not 0. Source: Cao et
    al. 2007 (top one). Choose it if groups are long and should have the same weight.
    """
    scores, relevance = matched_rows(predictions, targets)
    same = _same_group(groups, relevance)
    shares = jnp.exp(_log_shares(relevance, same))
    number_of_groups = jnp.sum(1 / jnp.sum(same.astype(scores.dtype), axis=1))
    return -jnp.sum(shares * _log_shares(scores, same)) / number_of_groups


def lambda_loss(
    predictions: jax.Array, targets: jax.Array, *, groups: jax.Array, sharpness: float = 1.0
) -> jax.Array:
    """sum over pairs of |change of NDCG if i and j swap| log2(1 + exp(sharpness (s_j - s_i))).

    Divided by the number of groups with a pair; a scalar. The change is |g_i - g_j| |1 / D_i - 1 /
    D_j|, with the gain g = (2^r - 1) / ideal DCG and D = log2(1 + rank); ranks have no
    gradient, so the value jumps where two scores are equal. Source: Burges et al. 2006
    (LambdaRank); Wang et al. 2018 (LambdaLoss). Choose it if NDCG is reported: it stresses the top
    places.
    """
    check_in("(0, inf)", sharpness=sharpness)
    scores, relevance = matched_rows(predictions, targets)
    same = _same_group(groups, relevance)
    pairs = _pairs(relevance, same)
    gains = jnp.exp2(relevance) - 1
    ideal = jnp.sum(jnp.where(same, (gains / _discounts(relevance, same))[None, :], 0), axis=1)
    gains = gains / jnp.where(ideal > 0, ideal, 1)
    changes = jnp.abs(_differences(gains) * _differences(1 / _discounts(scores, same)))
    costs = jax.nn.softplus(-sharpness * _differences(scores)) / math.log(2)
    total = jnp.sum(jnp.where(pairs, changes * costs, 0))
    size = jnp.sum(same.astype(scores.dtype), axis=1)
    has_pair = jnp.any(same & jnp.any(pairs, axis=1)[None, :], axis=1)
    return total / jnp.maximum(jnp.sum(jnp.where(has_pair, 1 / size, 0)), 1)


def _same_group(groups: jax.Array, relevance: jax.Array) -> jax.Array:
    groups = matched_field("groups", groups, relevance)
    return groups[:, None] == groups[None, :]


def _pairs(relevance: jax.Array, same: jax.Array) -> jax.Array:
    return same & (relevance[:, None] > relevance[None, :])


def _differences(values: jax.Array) -> jax.Array:
    """Returns values[i] - values[j] at [i, j]."""
    return values[:, None] - values[None, :]


def _log_shares(values: jax.Array, same: jax.Array) -> jax.Array:
    """Returns log(softmax) of each value within its group."""
    rows = jnp.broadcast_to(values[None, :], same.shape)
    return values - jax.nn.logsumexp(rows, axis=1, where=same)


def _discounts(values: jax.Array, same: jax.Array) -> jax.Array:
    """Returns log2(1 + rank) by descending value within the group; ties by position."""
    position = jnp.arange(len(values))
    earlier = position[None, :] < position[:, None]
    above, tied = values[None, :] > values[:, None], values[None, :] == values[:, None]
    ranks = 1 + jnp.sum((same & (above | (tied & earlier))).astype(values.dtype), axis=1)
    return jnp.log2(1 + ranks)
