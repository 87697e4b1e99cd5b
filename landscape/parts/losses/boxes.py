"""Losses of boxes: predictions and targets `(batch, 4)`; one value per example, or per number.

`form` is "corners" (x1, y1, x2, y2, opposite corners in any order) or "center" (center x, center y,
width, height); any unit of length. In the formulas I, U and H are the areas of intersection, union
and the smallest box around both. A union or a hull of area 0 counts as no overlap: IoU = 0 with no
gradient. Raises UserError if the shapes differ or an option is out of range.
"""

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from landscape.errors import UserError
from landscape.parts._boxes import corners
from landscape.parts._options import check_in
from landscape.parts.losses._shapes import matched


class _Overlap(NamedTuple):
    """Boxes as low and high corners `(batch, 2)`, and areas `(batch,)`."""

    predicted: tuple[jax.Array, jax.Array]
    target: tuple[jax.Array, jax.Array]
    iou: jax.Array
    union: jax.Array
    hull: jax.Array


def smooth_l1(predictions: jax.Array, targets: jax.Array, *, beta: float = 1.0) -> jax.Array:
    """error^2 / (2 beta) for |error| <= beta, else |error| - beta / 2; one value per number.

    The huber loss divided by its delta. beta is in the unit of the boxes. Source: Girshick 2015
    (Fast R-CNN). Choose it as the baseline: the gradient is bounded and reaches boxes that do not
    overlap, but it ignores that a number's weight depends on the size of the box.
    """
    check_in("(0, inf)", beta=beta)
    predictions, targets = _matched_boxes(predictions, targets)
    return optax.huber_loss(predictions, targets, delta=beta) / beta


def iou(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    form: Literal["corners", "center"] = "corners",
) -> jax.Array:
    """1 - I / U, the intersection over union; (batch,), from 0 to 1.

    Gradient exactly 0 for boxes that do not overlap. Source: Yu et al. 2016 (UnitBox). Choose it if
    the reported score is the mean IoU and boxes overlap from the start.
    """
    return 1 - _overlap(predictions, targets, form).iou


def giou(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    form: Literal["corners", "center"] = "corners",
) -> jax.Array:
    """1 - I / U + (H - U) / H, H the area of the hull; (batch,), from 0 to 2.

    Source: Rezatofighi et al. 2019. Choose it instead of iou if boxes may not overlap: the empty
    part of the hull draws them together.
    """
    overlap = _overlap(predictions, targets, form)
    return 1 - overlap.iou + _ratio(overlap.hull - overlap.union, overlap.hull)


def diou(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    form: Literal["corners", "center"] = "corners",
) -> jax.Array:
    """1 - I / U + d^2 / c^2, distance d of the centers, diagonal c of the hull; (batch,).

    From 0 to 2. Source: Zheng et al. 2020. Choose it instead of giou for faster convergence: it
    moves the center directly.
    """
    overlap = _overlap(predictions, targets, form)
    return 1 - overlap.iou + _center_distance(overlap)


def ciou(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    form: Literal["corners", "center"] = "corners",
) -> jax.Array:
    """diou + a v with v = (2 / pi)^2 (difference of atan(width / height))^2; (batch,).

    a = v / (1 - I / U + v) is a constant factor of the gradient, as in the program of the authors.
    Source: Zheng et al. 2020. Choose it as the default for boxes: overlap, center and aspect ratio.
    """
    overlap = _overlap(predictions, targets, form)
    gap = _angle(*overlap.target) - _angle(*overlap.predicted)
    aspect = jnp.square(2 / math.pi * gap)
    weights = jax.lax.stop_gradient(_ratio(aspect, 1 - overlap.iou + aspect))
    return 1 - overlap.iou + _center_distance(overlap) + weights * aspect


def _matched_boxes(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    predictions, targets = matched(predictions, targets)
    if predictions.ndim != 2 or predictions.shape[1] != 4:
        shapes = f"predictions have shape {predictions.shape}, targets {targets.shape}"
        raise UserError(f"{shapes}; expected (batch, 4)")
    return predictions, targets


def _overlap(predictions: jax.Array, targets: jax.Array, form: str) -> _Overlap:
    if form not in ("corners", "center"):
        raise UserError(f"`form` is {form!r}; expected corners or center")
    boxes = _matched_boxes(predictions, targets)
    (low, high), (target_low, target_high) = (corners(box, form) for box in boxes)
    shared = jax.nn.relu(jnp.minimum(high, target_high) - jnp.maximum(low, target_low))
    hull = jnp.maximum(high, target_high) - jnp.minimum(low, target_low)
    intersection = _area(shared)
    union = _area(high - low) + _area(target_high - target_low) - intersection
    return _Overlap(
        predicted=(low, high),
        target=(target_low, target_high),
        iou=_ratio(intersection, union),
        union=union,
        hull=_area(hull),
    )


def _area(sides: jax.Array) -> jax.Array:
    return sides[:, 0] * sides[:, 1]


def _ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """Returns numerator / denominator, 0 with a zero gradient where the denominator is 0."""
    positive = denominator > 0
    return jnp.where(positive, numerator / jnp.where(positive, denominator, 1), 0)


def _center_distance(overlap: _Overlap) -> jax.Array:
    """Returns the squared distance of the centers over the squared diagonal of the hull."""
    (low, high), (target_low, target_high) = overlap.predicted, overlap.target
    sides = jnp.maximum(high, target_high) - jnp.minimum(low, target_low)
    gap = (low + high - target_low - target_high) / 2
    return _ratio(jnp.sum(gap**2, axis=-1), jnp.sum(sides**2, axis=-1))


def _angle(low: jax.Array, high: jax.Array) -> jax.Array:
    """Returns atan(width / height) `(batch,)`, 0 with a zero gradient for a box without size."""
    width, height = (high - low)[:, 0], (high - low)[:, 1]
    has_size = (width > 0) | (height > 0)
    return jnp.arctan2(width, jnp.where(has_size, height, 1))
