"""Metrics of embeddings: predictions (n, dimension) and labels (n,).

Each example is a query, all others are sorted by their distance to it, and those of the same label
are relevant. A query without a relevant example is excluded; NaN if all are.
"""

from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from landscape.parts.metrics._metric import Metric, Snapshot, count, map_rows, mean_of, misfit

_TASKS = ("embedding",)


def recall_at_1(distance: Literal["euclidean", "cosine"] = "euclidean") -> Metric:
    """Share of examples whose nearest other example has the same label.

    From 0 to 1, higher is better. The first of equally near ones counts. Source: Jegou et al.,
    Product quantization for nearest neighbor search (2011). Choose it as the default for
    embeddings.
    """

    def of_query(relevant: jax.Array) -> jax.Array:
        return relevant[0].astype(jnp.float32)

    return _retrieval_metric("recall_at_1", distance, of_query)


def map_at_r(distance: Literal["euclidean", "cosine"] = "euclidean") -> Metric:
    """Mean over queries with R relevant examples of sum over i <= R of P(i) [i is relevant] / R.

    P(i) is the share of relevant examples among the i nearest. From 0 to 1, higher is better.
    Source: Musgrave et al., A metric learning reality check (2020). Choose it instead of
    `recall_at_1` if all examples of a label must be near each other.
    """

    def of_query(relevant: jax.Array) -> jax.Array:
        places = jnp.arange(1, len(relevant) + 1)
        number = jnp.maximum(count(relevant), 1)
        hits = relevant & (places <= number)
        return jnp.sum(jnp.where(hits, jnp.cumsum(hits, dtype=jnp.int32) / (places * number), 0))

    return _retrieval_metric("map_at_r", distance, of_query)


def _retrieval_metric(
    name: str, distance: str, of_query: Callable[[jax.Array], jax.Array]
) -> Metric:
    """`of_query(relevant)` is the score of a query from the others in the order of distance."""

    def score(snapshot: Snapshot) -> jax.Array:
        points, labels = snapshot.predictions, snapshot.targets
        if points.ndim != 2 or points.shape[:1] != labels.shape:
            raise misfit(snapshot, name, "embeddings (n, dimension) and labels (n,)")
        if distance == "cosine":
            lengths = jnp.linalg.norm(points, axis=1, keepdims=True)
            points = points / jnp.where(lengths > 0, lengths, 1)

        def query(number: jax.Array) -> tuple[jax.Array, jax.Array]:
            distances = jnp.sum((points - points[number][None]) ** 2, axis=1)
            order = jnp.argsort(distances.at[number].set(-jnp.inf))[1:]
            relevant = labels[order] == labels[number]
            return of_query(relevant), jnp.any(relevant)

        return mean_of(*map_rows(query, jnp.arange(len(points))))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)
