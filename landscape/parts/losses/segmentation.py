"""Segmentation losses: logits and 0/1 masks `(batch, height, width)`, or several classes.

Losses that say so also take logits `(batch, height, width, classes)` and labels `(batch, height,
width)`; a region loss is then the mean over classes, each with its own mask. Region losses return
one value per image, `(batch,)`; pixelwise ones `(batch, height, width)`. In the formulas p =
sigmoid(z), or softmax(z) of a class, and m is the mask; sums run over the pixels of one image: I =
sum p m (overlap), FP = sum p (1 - m), FN = sum (1 - p) m. Raises UserError if the shapes differ,
the inputs are not images or an option is out of range.

`mask` `(batch, height, width)` is 0 where a pixel is ignored; without it all count. A pixelwise
value is 0 there and multiplied by pixels / counted pixels elsewhere, so that the mean over an image
is that over its counted pixels. An image without any has value and gradient 0.

For an empty mask (no pixel of the object), I = FN = 0 and a region loss is FP / (FP + smooth) or
similar: 0 for an empty prediction, with a gradient that lowers every logit. This is why `smooth`
must be above 0. lovasz_hinge lowers only the highest logit.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses import binary
from landscape.parts.losses._means import scaled_by_mask
from landscape.parts.losses._shapes import matched_field, matched_images, matched_label_images


def dice(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    smooth: float = 1.0,
) -> jax.Array:
    """1 - 2 overlap / (predicted + object), soft; one value per image.

    1 - (2 I + s) / (2 I + FP + FN + s) with s = 2 smooth. `smooth` is in pixels, as in
    `optax.losses.dice_loss`: dice is tversky with both weights 1/2. Source: Milletari et al. 2016
    (who square p and m in the sums; not squared here, as in Sudre et al. 2017). Choose it
    if the object is small: background is not counted. Also for several classes.
    """
    return tversky(predictions, targets, mask=mask, alpha=0.5, beta=0.5, smooth=smooth)


def hard_dice(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    smooth: float = 1.0,
) -> jax.Array:
    """dice of the thresholded prediction [logit > 0]; gradient 0 everywhere.

    smooth as in dice. Source: the overlap score of Dice 1945. Choose it as the negative control: it
    is the reported score itself, and gradients cannot train it. Also for several classes, whose
    prediction is the largest logit.
    """
    check_in("(0, inf)", smooth=smooth)
    decisions, masks = _regions(predictions, targets, mask, _decisions)
    return _region_error(decisions, masks, 0.5, 0.5, smooth)


def jaccard(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    smooth: float = 1.0,
) -> jax.Array:
    """1 - overlap / union, soft; one value per image.

    1 - (I + smooth) / (I + FP + FN + smooth), the soft intersection over union; tversky with both
    weights 1. Source: Rahman and Wang 2016. Choose it if intersection over union is reported; it
    penalizes poor overlap more than dice. Also for several classes.
    """
    return tversky(predictions, targets, mask=mask, alpha=1.0, beta=1.0, smooth=smooth)


def tversky(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
) -> jax.Array:
    """1 - overlap / (overlap + alpha false alarms + beta misses), soft; one value per image.

    1 - (I + smooth) / (I + alpha FP + beta FN + smooth). With alpha = 0 an empty mask has no
    gradient, with beta = 0 a full one has none. Source: Salehi et al. 2017. Choose it if misses and
    false alarms have different costs: beta > alpha favors recall. Also for several classes.
    """
    check_in("[0, inf)", alpha=alpha, beta=beta)
    check_in("(0, inf)", smooth=smooth)
    return _region_error(*_regions(predictions, targets, mask, _probabilities), alpha, beta, smooth)


def focal_tversky(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    gamma: float = 1.3333333333333333,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
) -> jax.Array:
    """tversky^(1 / gamma), gamma 4/3 by default; one value per image.

    alpha, beta and smooth as in tversky. gamma above 1 raises the weight of nearly correct images;
    at exactly 0 value and gradient are 0. Also for several classes. Source: Abraham and Khan 2019,
    whose alpha is this beta (weight of FN). Choose it for small objects on which plain tversky
    stops improving.
    """
    check_in("(0, inf)", gamma=gamma)
    error = tversky(predictions, targets, mask=mask, alpha=alpha, beta=beta, smooth=smooth)
    # The power has an infinite slope at 0; times the vanishing slope of sigmoid it would be NaN.
    positive = error > jnp.finfo(error.dtype).tiny
    return jnp.where(positive, jnp.where(positive, error, 1) ** (1 / gamma), 0)


def lovasz_hinge(
    predictions: jax.Array, targets: jax.Array, *, mask: jax.Array | None = None
) -> jax.Array:
    """Jaccard error, extended convexly to the hinge errors of pixels; one value per image.

    sum_k max(e_k, 0) (J_k - J_(k-1)) over pixels sorted by e = 1 - (2 m - 1) z, descending; J_k is
    the Jaccard error if exactly the first k pixels are wrong. The tight convex surrogate of the
    Jaccard error in e. Empty mask: max(1 + max(z), 0), so only the highest logit gets a gradient.
    Source: Berman et al. 2018. Choose it to optimize intersection over union itself, best after
    pretraining with cross entropy.
    """
    logits, masks = matched_images(predictions, targets)
    logits, masks = (array.reshape(array.shape[0], -1) for array in (logits, masks))
    errors = 1 - (2 * masks - 1) * logits
    if mask is not None:
        # An error of 0 does not count, and comes after all that do.
        counted = matched_field("mask", mask, targets).reshape(errors.shape) > 0
        errors, masks = jnp.where(counted, errors, 0), jnp.where(counted, masks, 0)
    return _lovasz(errors, masks)


def lovasz_softmax(
    predictions: jax.Array, targets: jax.Array, *, mask: jax.Array | None = None
) -> jax.Array:
    """Jaccard error, extended to |m - p| of pixels; several classes; one value per image.

    lovasz_hinge with e = |m - p| for each class of the labels, and the mean over the classes that
    occur in the image. Source: Berman et al. 2018. Choose it to optimize the mean intersection over
    union of several classes, best after pretraining with cross entropy.
    """
    logits, masks = matched_label_images(predictions, targets)
    errors = jnp.abs(masks - jax.nn.softmax(logits))
    if mask is not None:
        counted = matched_field("mask", mask, targets)[..., None] > 0
        errors, masks = jnp.where(counted, errors, 0), jnp.where(counted, masks, 0)
    pixels = errors.shape[1] * errors.shape[2]
    errors, masks = (
        jnp.moveaxis(array, -1, 1).reshape(-1, array.shape[-1], pixels) for array in (errors, masks)
    )
    occurs = jnp.any(masks > 0, axis=-1)
    number = jnp.sum(occurs.astype(errors.dtype), axis=-1)
    total = jnp.sum(jnp.where(occurs, _lovasz(errors, masks), 0), axis=-1)
    return total / jnp.maximum(number, 1)


def cross_entropy_dice(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    weight: float = 0.5,
    smooth: float = 1.0,
) -> jax.Array:
    """weight mean(cross entropy of pixels) + (1 - weight) dice; one value per image.

    smooth as in dice. Also for several classes. Source: Taghanaki et al. 2019 (combo loss). Choose
    it as the default for masks: cross entropy keeps a gradient where dice saturates, dice weights
    small objects.
    """
    check_in("[0, 1]", weight=weight)
    several = jnp.ndim(predictions) == 4
    cross_entropy = softmax_cross_entropy if several else sigmoid_cross_entropy
    pixels = cross_entropy(predictions, targets, mask=mask)
    region = dice(predictions, targets, mask=mask, smooth=smooth)
    return weight * jnp.mean(pixels, axis=(1, 2)) + (1 - weight) * region


def log_cosh_dice(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    smooth: float = 1.0,
) -> jax.Array:
    """log(cosh(dice)); one value per image.

    smooth as in dice. Also for several classes. Source: Jadon 2020. Choose it to compare with dice:
    near 0 it is dice^2 / 2, so the gradient of nearly correct images vanishes.
    """
    return optax.log_cosh(dice(predictions, targets, mask=mask, smooth=smooth))


def sigmoid_cross_entropy(
    predictions: jax.Array, targets: jax.Array, *, mask: jax.Array | None = None
) -> jax.Array:
    """Binary cross entropy of each pixel, from logits; one value per pixel.

    Source: Long et al. 2015 (fully convolutional networks). Choose it as the baseline; if the
    object is small, background dominates.
    """
    values = binary.sigmoid_cross_entropy(*matched_images(predictions, targets))
    return _mean_over_counted(values, targets, mask)


def softmax_cross_entropy(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    label_smoothing: float = 0.0,
) -> jax.Array:
    """-log(p), p the probability of the pixel's label; several classes; one value per pixel.

    With label_smoothing, the one-hot label is mixed with the uniform distribution. Source: Long et
    al. 2015 (fully convolutional networks). Choose it as the baseline for several classes; frequent
    classes dominate.
    """
    check_in("[0, 1]", label_smoothing=label_smoothing)
    logits, one_hot = matched_label_images(predictions, targets)
    smooth = optax.smooth_labels(one_hot, label_smoothing)
    return _mean_over_counted(optax.softmax_cross_entropy(logits, smooth), targets, mask)


def focal(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    mask: jax.Array | None = None,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> jax.Array:
    """-a (1 - q)^gamma log(q), with q the probability of the true class; one value per pixel.

    a = alpha in the object and 1 - alpha outside; without alpha, a = 1. Source: Lin et al. 2017.
    Choose it if easy background dominates the gradient.
    """
    values = binary.focal(*matched_images(predictions, targets), gamma=gamma, alpha=alpha)
    return _mean_over_counted(values, targets, mask)


def _regions(
    predictions: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None,
    regions: Callable[[jax.Array], jax.Array],
) -> tuple[jax.Array, jax.Array]:
    """Returns regions(logits) and m, both 0 where pixels are ignored; classes are the last axis."""
    matched_inputs = matched_label_images if jnp.ndim(predictions) == 4 else matched_images
    logits, masks = matched_inputs(predictions, targets)
    if mask is not None:
        matched_field("mask", mask, targets)
    return _counted_only(regions(logits), mask), _counted_only(masks, mask)


def _probabilities(logits: jax.Array) -> jax.Array:
    return jax.nn.softmax(logits) if logits.ndim == 4 else jax.nn.sigmoid(logits)


def _decisions(logits: jax.Array) -> jax.Array:
    if logits.ndim == 3:
        return (logits > 0).astype(logits.dtype)
    return jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1], dtype=logits.dtype)


def _counted_only(values: jax.Array, mask: jax.Array | None) -> jax.Array:
    if mask is None:
        return values
    counted = jnp.asarray(mask) > 0
    return jnp.where(counted if values.ndim == 3 else counted[..., None], values, 0)


def _mean_over_counted(values: jax.Array, targets: jax.Array, mask: jax.Array | None) -> jax.Array:
    return scaled_by_mask(values, None if mask is None else matched_field("mask", mask, targets))


def _lovasz(errors: jax.Array, masks: jax.Array) -> jax.Array:
    """Returns the sum over pixels, the last axis, of max(error, 0) times the step of Jaccard."""
    order = jnp.argsort(-errors, axis=-1)
    errors, masks = (jnp.take_along_axis(array, order, axis=-1) for array in (errors, masks))
    size = jnp.sum(masks, axis=-1, keepdims=True)
    overlap = size - jnp.cumsum(masks, axis=-1)
    union = size + jnp.cumsum(1 - masks, axis=-1)
    jaccard_errors = 1 - overlap / union
    weights = jnp.diff(jaccard_errors, axis=-1, prepend=0)
    return jnp.sum(jax.nn.relu(errors) * weights, axis=-1)


def _region_error(
    probabilities: jax.Array, masks: jax.Array, alpha: float, beta: float, smooth: float
) -> jax.Array:
    overlap = jnp.sum(probabilities * masks, axis=(1, 2))
    false_positive = jnp.sum(probabilities * (1 - masks), axis=(1, 2))
    false_negative = jnp.sum((1 - probabilities) * masks, axis=(1, 2))
    # Not 1 - score as in optax: rounding could make that negative, and its root NaN.
    errors = alpha * false_positive + beta * false_negative
    shortfalls = errors / (overlap + errors + smooth)
    return shortfalls if shortfalls.ndim == 1 else jnp.mean(shortfalls, axis=-1)
