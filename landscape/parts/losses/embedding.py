"""Embedding losses: predictions `(batch, dimension)`, integer labels `(batch,)`; a scalar.

Examples of one label should be close, others far. A loss compares the examples of a batch, so its
value depends on the batch, and batches should contain each label several times. In the formulas d
is the Euclidean distance of two predictions and s the cosine of their angle. Without the pairs that
a loss compares (one label, or all labels different), value and gradient are 0. Raises UserError if
the shapes do not fit, the labels are not integers or an option is out of range.
"""

from typing import Literal

import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_in
from landscape.parts.losses._means import mean_where
from landscape.parts.losses._shapes import matched_labels


def triplet(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    margin: float = 0.2,
    mining: Literal["hard", "all"] = "hard",
) -> jax.Array:
    """mean of max(d(anchor, positive) - d(anchor, negative) + margin, 0); a scalar.

    With mining "hard", one triplet per anchor: its farthest positive and its nearest negative;
    with "all", every triplet of the batch, batch^3 numbers in memory. The mean includes triplets of
    loss 0. Source: Schroff et al. 2015 (FaceNet); Hermans et al. 2017 (batch hard). Choose it if
    distances matter, not angles; "hard" may collapse all predictions to one point early in
    training, "all" trains more slowly.
    """
    check_in("(0, inf)", margin=margin)
    if mining not in ("hard", "all"):
        raise UserError(f"`mining` is {mining!r}; expected hard or all")
    points, labels = matched_labels(predictions, targets, "batch, dimension")
    distances, (positive, negative) = _distances(points), _pairs(labels)
    if mining == "all":
        gaps = distances[:, :, None] - distances[:, None, :]
        return mean_where(positive[:, :, None] & negative[:, None, :], jax.nn.relu(gaps + margin))
    farthest = jnp.max(jnp.where(positive, distances, -jnp.inf), axis=1)
    nearest = jnp.min(jnp.where(negative, distances, jnp.inf), axis=1)
    complete = jnp.any(positive, axis=1) & jnp.any(negative, axis=1)
    gaps = jnp.where(complete, farthest, 0) - jnp.where(complete, nearest, 0)
    return mean_where(complete, jax.nn.relu(gaps + margin))


def contrastive(predictions: jax.Array, targets: jax.Array, *, margin: float = 1.0) -> jax.Array:
    """mean over pairs of d^2 / 2 for equal labels, else max(margin - d, 0)^2 / 2; a scalar.

    margin is a distance. Different labels that coincide have no gradient. Source: Hadsell et al.
    2006. Choose it as the baseline: no mining, but most pairs of many classes are
    far already.
    """
    check_in("(0, inf)", margin=margin)
    points, labels = matched_labels(predictions, targets, "batch, dimension")
    distances, (positive, negative) = _distances(points), _pairs(labels)
    losses = jnp.where(positive, distances, jax.nn.relu(margin - distances)) ** 2 / 2
    return mean_where(positive | negative, losses)


def info_nce(predictions: jax.Array, targets: jax.Array, *, temperature: float = 0.1) -> jax.Array:
    """mean over positive pairs of -log(e^(s_ij / T) / (e^(s_ij / T) + sum_n e^(s_in / T))).

    n are the examples of other labels than i, T is the temperature; a scalar. Each pair competes
    with the negatives only. Source: Sohn 2016 (N-pair); Chen et al. 2020 (NT-Xent). Choose it for
    retrieval by cosine with few examples per label; a low temperature stresses the nearest
    negatives.
    """
    check_in("(0, inf)", temperature=temperature)
    points, labels = matched_labels(predictions, targets, "batch, dimension")
    similarities, (positive, negative) = _cosines(points) / temperature, _pairs(labels)
    rivals = _log_sums(similarities, negative)[:, None]
    losses = jax.nn.softplus(rivals - similarities)
    return mean_where(positive & jnp.any(negative, axis=1, keepdims=True), losses)


def supervised_contrastive(
    predictions: jax.Array, targets: jax.Array, *, temperature: float = 0.1
) -> jax.Array:
    """mean over anchors i, their positives j of -log(e^(s_ij / T) / sum_{k != i} e^(s_ik / T)).

    First the mean over the positives of an anchor, then over the anchors that have some; T is the
    temperature; a scalar. Its minimum is above 0, since positives compete with each other. Source:
    Khosla et al. 2020 (SupCon, the sum outside of the log). Choose it instead of info_nce if labels
    have many examples in a batch: each anchor has the same weight.
    """
    check_in("(0, inf)", temperature=temperature)
    points, labels = matched_labels(predictions, targets, "batch, dimension")
    similarities, (positive, negative) = _cosines(points) / temperature, _pairs(labels)
    losses = _log_sums(similarities, positive | negative)[:, None] - similarities
    number = jnp.sum(positive.astype(losses.dtype), axis=1)
    sums = jnp.sum(jnp.where(positive, losses, 0), axis=1)
    return mean_where(number > 0, sums / jnp.maximum(number, 1))


def _pairs(labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns which pairs have one label, without an example and itself, and which have two."""
    same = labels[:, None] == labels[None, :]
    return same & ~jnp.eye(len(labels), dtype=bool), ~same


def _distances(points: jax.Array) -> jax.Array:
    squares = jnp.sum(jnp.square(points[:, None, :] - points[None, :, :]), axis=-1)
    # The root has an infinite slope at 0, where points coincide: their gradient is 0.
    apart = squares > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1)), 0)


def _cosines(points: jax.Array) -> jax.Array:
    squares = jnp.sum(jnp.square(points), axis=-1, keepdims=True)
    directions = points / jnp.sqrt(jnp.maximum(squares, 1e-12))
    return jnp.matmul(directions, directions.T, precision=jax.lax.Precision.HIGHEST)


def _log_sums(values: jax.Array, counted: jax.Array) -> jax.Array:
    """Returns log(sum(exp(values))) per row over the counted ones, 0 for a row without any."""
    anything = jnp.any(counted, axis=1)
    # A row without any is summed whole instead, since the gradient of log(0) is NaN.
    counted = counted | ~anything[:, None]
    return jnp.where(anything, jax.nn.logsumexp(values, axis=1, where=counted), 0)
