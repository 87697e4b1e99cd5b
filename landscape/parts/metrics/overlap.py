"""Metrics of predicted regions of images.

Binary masks: logits and targets 0 or 1, (n, height, width). Several classes: logits
(n, height, width, classes) and labels (n, height, width), where the label `ignore`, by default that
of the task, and pixels whose `mask` is 0 do not count.
"""

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from landscape.parts.metrics._decisions import fixed_cut
from landscape.parts.metrics._metric import Metric, Snapshot, count, map_rows, misfit, quotient

_TASKS = ("segmentation",)


class _Regions(NamedTuple):
    """Pixels that are predicted, true, and counted; shapes (n, height, width), or (..., classes).

    `axes`: those over which pixels are counted: per image for binary masks, all for classes.
    """

    predicted: jax.Array
    true: jax.Array
    counted: jax.Array
    axes: tuple[int, ...]

    @property
    def counted_pixels(self) -> tuple[jax.Array, jax.Array]:
        """Predicted and true pixels, without those that do not count."""
        counted = self.counted if self.true.ndim == 3 else self.counted[..., None]
        return self.predicted & counted, self.true & counted


def iou(threshold: float = 0.5, ignore: int | None = None) -> Metric:
    """Mean over images, or over several classes, of |P and T| / |P or T|.

    P where sigmoid(logit) > threshold, or the logit is the largest. An image scores 1 if both are
    empty; a class that is neither predicted nor true is excluded, and its pixels are counted over
    all images. From 0 to 1, higher is better. Also known as the Jaccard index; it penalizes small
    errors more than `dice` and ranks single images identically. Source: Jaccard, The distribution
    of the flora in the alpine zone (1912). Choose it for masks.
    """
    return _overlap_metric("iou", threshold, ignore)


def dice(threshold: float = 0.5, ignore: int | None = None) -> Metric:
    """Mean over images, or over several classes, of 2 |P and T| / (|P| + |T|).

    Shapes and range as in `iou`. Source: Dice, Measures of the amount of ecologic association
    between species (1945). Choose it to compare with results in medical imaging.
    """
    return _overlap_metric("dice", threshold, ignore)


def pixel_accuracy(threshold: float = 0.5, ignore: int | None = None) -> Metric:
    """Share of the counted pixels that are predicted correctly.

    From 0 to 1, higher is better. Choose it beside `iou`: a prediction without any object scores
    well if objects are small.
    """
    cut = fixed_cut(threshold)

    def score(snapshot: Snapshot) -> jax.Array:
        regions = _regions(snapshot, "pixel_accuracy", cut, ignore)
        correct = regions.predicted == regions.true
        if correct.ndim == 4:
            correct = jnp.all(correct, axis=-1)
        counted = regions.counted
        return count(correct & counted) / count(counted)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)


def hausdorff(threshold: float = 0.5, ignore: int | None = None) -> Metric:
    """Mean over images of the largest distance of a pixel of one mask to the other, in pixels.

    Lower is better: 0 if both are empty, the diagonal of the image if one is. With several classes
    the mean over images and those of their classes that are predicted or true. Equal to the larger
    of scipy's two `directed_hausdorff` of the pixels that count. Source: Huttenlocher et al.
    (1993). Choose it beside `iou` if a far outlier matters; a single pixel decides it.
    """
    cut = fixed_cut(threshold)

    def score(snapshot: Snapshot) -> jax.Array:
        regions = _regions(snapshot, "hausdorff", cut, ignore)
        predicted, true = regions.counted_pixels
        if true.ndim == 3:
            return jnp.mean(map_rows(_distance, predicted, true))
        distances = map_rows(jax.vmap(_distance, in_axes=-1), predicted, true)
        return jnp.mean(distances, where=jnp.any(predicted | true, axis=(1, 2)))

    return Metric(score, higher_is_better=False, best=0.0, tasks=_TASKS)


def _overlap_metric(name: Literal["iou", "dice"], threshold: float, ignore: int | None) -> Metric:
    cut = fixed_cut(threshold)

    def score(snapshot: Snapshot) -> jax.Array:
        regions = _regions(snapshot, name, cut, ignore)
        predicted, true = regions.counted_pixels
        both = count(predicted & true, axis=regions.axes)
        total = count(predicted, axis=regions.axes) + count(true, axis=regions.axes)
        ratio = (both, total - both) if name == "iou" else (2 * both, total)
        scores = quotient(*ratio, empty=1.0)
        return jnp.mean(scores) if regions.true.ndim == 3 else jnp.mean(scores, where=total > 0)

    return Metric(score, higher_is_better=True, best=1.0, worst=0.0, tasks=_TASKS)


def _regions(snapshot: Snapshot, name: str, cut: float, ignore: int | None) -> _Regions:
    predictions, targets = snapshot.predictions, snapshot.targets
    mask = snapshot.fields.get("mask")
    counted = jnp.ones(targets.shape, bool) if mask is None else mask > 0
    if ignore is not None:
        counted &= targets != ignore
    if predictions.shape == targets.shape and predictions.ndim == 3:
        return _Regions(predictions > cut, targets > 0.5, counted, (1, 2))
    if predictions.ndim != 4 or predictions.shape[:3] != targets.shape:
        expected = "logits and masks of one shape (n, height, width), or logits (n, height, width, "
        raise misfit(snapshot, name, f"{expected}classes) and labels (n, height, width)")
    classes = predictions.shape[3]
    predicted = jax.nn.one_hot(jnp.argmax(predictions, axis=3), classes, dtype=bool)
    true = jax.nn.one_hot(targets, classes, dtype=bool)
    return _Regions(predicted, true, counted, (0, 1, 2))


def _distance(first: jax.Array, second: jax.Array) -> jax.Array:
    """Returns the Hausdorff distance of two masks (height, width)."""
    height, width = first.shape
    diagonal = math.hypot(height - 1, width - 1)
    farthest = [
        jnp.max(jnp.where(here, _squared_distances(there), 0))
        for here, there in ((first, second), (second, first))
    ]
    return jnp.minimum(jnp.sqrt(jnp.maximum(*farthest)), diagonal)


def _squared_distances(mask: jax.Array) -> jax.Array:
    """Returns the squared distance of each pixel to the mask, infinite if the mask is empty.

    Exact, one axis after the other. Source: Felzenszwalb and Huttenlocher, Distance transforms of
    sampled functions (2012).
    """
    rows, columns = (jnp.arange(size, dtype=jnp.float32) for size in mask.shape)
    apart_rows, apart_columns = ((at[:, None] - at[None]) ** 2 for at in (rows, columns))
    nearest = jnp.min(jnp.where(mask, 0.0, jnp.inf)[None] + apart_rows[..., None], axis=1)
    return jnp.min(nearest[:, None, :] + apart_columns[None], axis=2)
