"""Metrics of the overlap of a predicted region with the true one."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from landscape.parts._options import check_in
from landscape.parts.metrics._metric import Metric, Snapshot, count, misfit, quotient


def iou(threshold: float = 0.5) -> Metric:
    """Mean over images of |P and T| / |P or T|, P where sigmoid(logit) > threshold.

    Predictions are logits (n, height, width), targets masks T of 0 and 1 of the same shape. An
    image scores 1 if both are empty. From 0 to 1, higher is better. Also known as the Jaccard
    index; it penalizes small errors more than `dice` and ranks single images identically. Source:
    Jaccard, The distribution of the flora in the alpine zone (1912). Choose it for masks.
    """
    return _overlap_metric("iou", threshold, lambda both, total: (both, total - both))


def dice(threshold: float = 0.5) -> Metric:
    """Mean over images of 2 |P and T| / (|P| + |T|), P where sigmoid(logit) > threshold.

    Shapes and range as in `iou`. Source: Dice, Measures of the amount of ecologic association
    between species (1945). Choose it to compare with results in medical imaging.
    """
    return _overlap_metric("dice", threshold, lambda both, total: (2 * both, total))


def _overlap_metric(name: str, threshold: float, ratio: Callable[..., tuple]) -> Metric:
    """`ratio(|P and T|, |P| + |T|)` is the numerator and the denominator of an image's score."""
    check_in("(0, 1)", threshold=threshold)
    cut = math.log(threshold / (1.0 - threshold))

    def score(snapshot: Snapshot) -> jax.Array:
        if snapshot.predictions.shape != snapshot.targets.shape or snapshot.predictions.ndim != 3:
            raise misfit(snapshot, name, "logits and masks of one shape (n, height, width)")
        predicted, target = snapshot.predictions > cut, snapshot.targets > 0.5
        both = count(predicted & target, axis=(1, 2))
        total = count(predicted, axis=(1, 2)) + count(target, axis=(1, 2))
        numerator, denominator = ratio(both, total)
        return jnp.mean(quotient(numerator, denominator, empty=1.0))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0)
