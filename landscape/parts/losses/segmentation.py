"""Segmentation losses: logits and 0/1 masks `(batch, height, width)`.

Region losses return one value per image, `(batch,)`; pixelwise ones `(batch, height, width)`. In
the formulas p = sigmoid(z) and m is the mask; sums run over the pixels of one image: I = sum p m
(overlap), FP = sum p (1 - m), FN = sum (1 - p) m. Raises UserError if the shapes differ, the inputs
are not images or an option is out of range.

For an empty mask (no pixel of the object), I = FN = 0 and a region loss is FP / (FP + smooth) or
similar: 0 for an empty prediction, with a gradient that lowers every logit. This is why `smooth`
must be above 0. lovasz_hinge lowers only the highest logit.
"""

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in
from landscape.parts.losses import binary
from landscape.parts.losses._shapes import matched_images


def dice(predictions: jax.Array, targets: jax.Array, *, smooth: float = 1.0) -> jax.Array:
    """1 - 2 overlap / (predicted + object), soft; one value per image.

    1 - (2 I + s) / (2 I + FP + FN + s) with s = 2 smooth. `smooth` is in pixels, as in
    `optax.losses.dice_loss`: dice is tversky with both weights 1/2. Source: Milletari et al. 2016
    (who square p and m in the sums; not squared here, as in Sudre et al. 2017). Choose it
    if the object is small: background is not counted.
    """
    return tversky(predictions, targets, alpha=0.5, beta=0.5, smooth=smooth)


def hard_dice(predictions: jax.Array, targets: jax.Array, *, smooth: float = 1.0) -> jax.Array:
    """dice of the thresholded prediction [logit > 0]; gradient 0 everywhere.

    smooth as in dice. Source: the overlap score of Dice 1945. Choose it as the negative control: it
    is the reported score itself, and gradients cannot train it.
    """
    check_in("(0, inf)", smooth=smooth)
    logits, masks = matched_images(predictions, targets)
    return _region_error((logits > 0).astype(logits.dtype), masks, 0.5, 0.5, smooth)


def jaccard(predictions: jax.Array, targets: jax.Array, *, smooth: float = 1.0) -> jax.Array:
    """1 - overlap / union, soft; one value per image.

    1 - (I + smooth) / (I + FP + FN + smooth), the soft intersection over union; tversky with both
    weights 1. Source: Rahman and Wang 2016. Choose it if intersection over union is reported; it
    penalizes poor overlap more than dice.
    """
    return tversky(predictions, targets, alpha=1.0, beta=1.0, smooth=smooth)


def tversky(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
) -> jax.Array:
    """1 - overlap / (overlap + alpha false alarms + beta misses), soft; one value per image.

    1 - (I + smooth) / (I + alpha FP + beta FN + smooth). With alpha = 0 an empty mask has no
    gradient, with beta = 0 a full one has none. Source: Salehi et al. 2017. Choose it if misses and
    false alarms have different costs: beta > alpha favors recall.
    """
    check_in("[0, inf)", alpha=alpha, beta=beta)
    check_in("(0, inf)", smooth=smooth)
    logits, masks = matched_images(predictions, targets)
    return _region_error(jax.nn.sigmoid(logits), masks, alpha, beta, smooth)


def focal_tversky(
    predictions: jax.Array,
    targets: jax.Array,
    *,
    gamma: float = 1.3333333333333333,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
) -> jax.Array:
    """tversky^(1 / gamma), gamma 4/3 by default; one value per image.

    alpha, beta and smooth as in tversky. gamma above 1 raises the weight of nearly correct images;
    at exactly 0 value and gradient are 0. Source: Abraham and Khan 2019, whose alpha is this beta
    (weight of FN). Choose it for small objects on which plain tversky stops improving.
    """
    check_in("(0, inf)", gamma=gamma)
    error = tversky(predictions, targets, alpha=alpha, beta=beta, smooth=smooth)
    # The power has an infinite slope at 0; times the vanishing slope of sigmoid it would be NaN.
    positive = error > jnp.finfo(error.dtype).tiny
    return jnp.where(positive, jnp.where(positive, error, 1) ** (1 / gamma), 0)


def lovasz_hinge(predictions: jax.Array, targets: jax.Array) -> jax.Array:
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
    order = jnp.argsort(-errors, axis=-1)
    errors, masks = (jnp.take_along_axis(array, order, axis=-1) for array in (errors, masks))
    size = jnp.sum(masks, axis=-1, keepdims=True)
    overlap = size - jnp.cumsum(masks, axis=-1)
    union = size + jnp.cumsum(1 - masks, axis=-1)
    jaccard_errors = 1 - overlap / union
    weights = jnp.diff(jaccard_errors, axis=-1, prepend=0)
    return jnp.sum(jax.nn.relu(errors) * weights, axis=-1)


def cross_entropy_dice(
    predictions: jax.Array, targets: jax.Array, *, weight: float = 0.5, smooth: float = 1.0
) -> jax.Array:
    """weight mean(cross entropy of pixels) + (1 - weight) dice; one value per image.

    smooth as in dice. Source: Taghanaki et al. 2019 (combo loss). Choose it as the default for
    masks: cross entropy keeps a gradient where dice saturates, dice weights small objects.
    """
    check_in("[0, 1]", weight=weight)
    pixels = sigmoid_cross_entropy(predictions, targets)
    region = dice(predictions, targets, smooth=smooth)
    return weight * jnp.mean(pixels, axis=(1, 2)) + (1 - weight) * region


def log_cosh_dice(predictions: jax.Array, targets: jax.Array, *, smooth: float = 1.0) -> jax.Array:
    """log(cosh(dice)); one value per image.

    smooth as in dice. Source: Jadon 2020. Choose it to compare with dice: near 0 it is dice^2 / 2,
    so the gradient of nearly correct images vanishes.
    """
    return optax.log_cosh(dice(predictions, targets, smooth=smooth))


def sigmoid_cross_entropy(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """Binary cross entropy of each pixel, from logits; one value per pixel.

    Source: Long et al. 2015 (fully convolutional networks). Choose it as the baseline; if the
    object is small, background dominates.
    """
    return binary.sigmoid_cross_entropy(*matched_images(predictions, targets))


def focal(
    predictions: jax.Array, targets: jax.Array, *, gamma: float = 2.0, alpha: float | None = None
) -> jax.Array:
    """-a (1 - q)^gamma log(q), with q the probability of the true class; one value per pixel.

    a = alpha in the object and 1 - alpha outside; without alpha, a = 1. Source: Lin et al. 2017.
    Choose it if easy background dominates the gradient.
    """
    return binary.focal(*matched_images(predictions, targets), gamma=gamma, alpha=alpha)


def _region_error(
    probabilities: jax.Array, masks: jax.Array, alpha: float, beta: float, smooth: float
) -> jax.Array:
    overlap = jnp.sum(probabilities * masks, axis=(1, 2))
    false_positive = jnp.sum(probabilities * (1 - masks), axis=(1, 2))
    false_negative = jnp.sum((1 - probabilities) * masks, axis=(1, 2))
    # Not 1 - score as in optax: rounding could make that negative, and its root NaN.
    errors = alpha * false_positive + beta * false_negative
    return errors / (overlap + errors + smooth)
