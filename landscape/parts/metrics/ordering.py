"""Metrics of the order of scores: ranking within groups, and survival times.

Ranking: predictions and relevance (n,), and the array `groups` (n,) of the dataset; the items of
a group are sorted by falling score. Survival: risks and times (n,), and the array `events` (n,), 1
for an event and 0 for a censored time.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from landscape.parts._options import check_whole
from landscape.parts.metrics._metric import (
    Metric,
    Snapshot,
    count,
    field,
    map_rows,
    mean_of,
    one_per_example,
)


class _Sorted(NamedTuple):
    """Items sorted by group and falling value, (n,) each.

    group: number of the item's group, of n possible ones
    place: place in the group from 0
    tied: number of the set of items of the group with the same value
    order: numbers of the items
    """

    group: jax.Array
    place: jax.Array
    tied: jax.Array
    order: jax.Array


def ndcg(k: int = 10) -> Metric:
    """Mean over groups of DCG / ideal DCG at k, the normalized discounted cumulative gain.

    DCG is the sum over places i <= k of (2^relevance - 1) / log2(i + 1).
    Items with equal scores share the mean of their places. Groups without a relevant item are
    excluded; NaN if all are. From 0 to 1, higher is better. Equal to scikit-learn's `ndcg_score` of
    the gains 2^rel - 1. Source: Jarvelin and Kekalainen, Cumulated gain-based evaluation of IR
    techniques (2002); Burges et al. (2005) for the gain. Choose it as the default for rankings.
    """
    check_whole(1, k=k)

    def score(snapshot: Snapshot) -> jax.Array:
        scores, relevance, groups = _ranking(snapshot, "ndcg")
        gains = jnp.exp2(relevance) - 1
        ideal = _discounted(gains, _sort(groups, gains), k)
        reached = _discounted(gains, _sort(groups, scores), k)
        return mean_of(reached / jnp.where(ideal > 0, ideal, 1), ideal > 0)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=("ranking",))


def mrr() -> Metric:
    """Mean over groups of 1 / (place of the first relevant item), relevant if above 0.

    Irrelevant items of the same score come first. Groups without a relevant item are excluded; NaN
    if all are. From 0 to 1, higher is better. Source: Voorhees, The TREC-8 question answering track
    report (1999). Choose it if only the first hit matters.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        scores, relevance, groups = _ranking(snapshot, "mrr")
        numbers = jnp.searchsorted(jnp.sort(groups), groups)
        relevant = relevance > 0
        size = len(scores)
        best = jax.ops.segment_max(jnp.where(relevant, scores, -jnp.inf), numbers, size)
        is_ahead = ~relevant & (scores >= best[numbers])
        ahead = jax.ops.segment_sum(is_ahead.astype(scores.dtype), numbers, size)
        return mean_of(1 / (1 + ahead), best > -jnp.inf)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=("ranking",))


def concordance() -> Metric:
    """Share of comparable pairs in which the earlier event has the larger risk (Harrell's C).

    A pair is comparable if the earlier time is an event, or if one of two equal times is; equal
    risks count half. From 0 to 1, 0.5 for a constant prediction; higher is better. NaN without a
    pair. Equal to lifelines' `concordance_index` of -risk. Source: Harrell et al., Evaluating the
    yield of medical tests (1982). Choose it for survival times.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        risks, times = one_per_example(snapshot, "concordance", "risks and times (n,)")
        events = field(snapshot, "concordance", "events") > 0

        def counts(risk: jax.Array, time: jax.Array, event: jax.Array) -> tuple[jax.Array, ...]:
            comparable = event & ((time < times) | ((time == times) & ~events))
            wins = jnp.where(risk == risks, 0.5, (risk > risks).astype(risks.dtype))
            return jnp.sum(jnp.where(comparable, wins, 0)), count(comparable)

        wins, pairs = map_rows(counts, risks, times, events)
        return jnp.sum(wins) / jnp.sum(pairs.astype(wins.dtype))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=("survival",))


def _ranking(snapshot: Snapshot, name: str) -> tuple[jax.Array, jax.Array, jax.Array]:
    scores, relevance = one_per_example(snapshot, name, "scores and relevance (n,)")
    return scores, relevance.astype(scores.dtype), field(snapshot, name, "groups")


def _sort(groups: jax.Array, values: jax.Array) -> _Sorted:
    order = jnp.lexsort((-values, groups))
    groups, values = groups[order], values[order]
    group = jnp.searchsorted(groups, groups)
    place = jnp.arange(len(groups)) - group
    is_new = (jnp.diff(groups) != 0) | (jnp.diff(values) != 0)
    tied = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(is_new, dtype=jnp.int32)])
    return _Sorted(group, place, tied, order)


def _discounted(gains: jax.Array, items: _Sorted, k: int) -> jax.Array:
    """Returns the discounted gain of each of n possible groups, 0 if there is no such group."""
    size = len(gains)
    gains = gains[items.order]
    numbers = jax.ops.segment_sum(jnp.ones(size), items.tied, size)
    mean_gains = jax.ops.segment_sum(gains, items.tied, size) / jnp.maximum(numbers, 1)
    discounts = jnp.where(items.place < k, 1 / jnp.log2(items.place.astype(gains.dtype) + 2), 0)
    return jax.ops.segment_sum(mean_gains[items.tied] * discounts, items.group, size)
