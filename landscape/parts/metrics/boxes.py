"""Metrics of boxes: predictions and targets (n, 4).

`form` is that of the losses, by default that of the task: `corners` (x1, y1, x2, y2, opposite
corners in any order) or `center` (center x, center y, width, height).
"""

from typing import Literal

import jax
import jax.numpy as jnp

from landscape.parts._boxes import corners
from landscape.parts._options import check_in
from landscape.parts.metrics._metric import Metric, Snapshot, misfit

_TASKS = ("boxes",)
Form = Literal["corners", "center"]


def box_iou(form: Literal["corners", "center"] | None = None) -> Metric:
    """Mean over boxes of the area of the intersection over that of the union.

    0 for a union without area. From 0 to 1, higher is better. Source: Everingham et al., The PASCAL
    visual object classes challenge (2010). Choose it as the default for boxes.
    """

    def score(snapshot: Snapshot) -> jax.Array:
        return jnp.mean(_ious(snapshot, "box_iou", form))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)


def box_hits(form: Literal["corners", "center"] | None = None, threshold: float = 0.5) -> Metric:
    """Share of boxes whose intersection over union is above the threshold.

    From 0 to 1, higher is better. Source: as `box_iou`. Choose it if a box is right or wrong.
    """
    check_in("(0, 1)", threshold=threshold)

    def score(snapshot: Snapshot) -> jax.Array:
        hits = _ious(snapshot, "box_hits", form) > threshold
        return jnp.mean(hits.astype(snapshot.predictions.dtype))

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)


def _ious(snapshot: Snapshot, name: str, form: Form | None) -> jax.Array:
    shape = snapshot.predictions.shape
    if shape != snapshot.targets.shape or len(shape) != 2 or shape[1] != 4:
        raise misfit(snapshot, name, "boxes of one shape (n, 4)")
    low, high = corners(snapshot.predictions, form)
    true_low, true_high = corners(snapshot.targets, form)
    sides = jnp.maximum(jnp.minimum(high, true_high) - jnp.maximum(low, true_low), 0)
    both = jnp.prod(sides, axis=1)
    union = jnp.prod(high - low, axis=1) + jnp.prod(true_high - true_low, axis=1) - both
    return jnp.where(union > 0, both / jnp.where(union > 0, union, 1), 0.0)
