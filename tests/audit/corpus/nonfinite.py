"""NaN and infinity at inputs that occur: a zero target, an empty mask, a perfect fit."""

import jax
import jax.numpy as jnp
import optax


# task: binary  domain: unit  maybe: G206
def cross_entropy_of_probabilities(predictions, targets):
    """log(0) at a probability of 0, and 0 * log(0) at a perfect one."""
    p = predictions
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))  # <- N301 N302


# task: regression  maybe: D104 N303
def root_mean_square(predictions, targets):
    """The square root has no derivative at 0: a perfect batch turns all parameters into NaN."""
    return jnp.sqrt(jnp.mean(jnp.square(predictions - targets)))  # <- N302 D102


# task: regression  maybe: D104 N303
def root_of_square(predictions, targets):
    """|e| as sqrt(e^2): the same value, but NaN as the gradient of a perfect prediction."""
    return jnp.sqrt((predictions - targets) ** 2)  # <- N302 D102


# task: regression  maybe: D104 N303
def euclidean_norm(predictions, targets):  # <- B502
    """The norm of the whole batch: NaN at a perfect fit, and growing with the batch."""
    return jnp.linalg.norm(predictions - targets)  # <- N302 D102 B502


# task: regression  also: S401  maybe: D102 D104 G205 G206
def root_of_absolute(predictions, targets):
    """A cusp: the gradient is infinite at the target."""
    return jnp.sqrt(jnp.abs(predictions - targets))  # <- N302 G208


# task: regression  maybe: D103 S401 S403 S404
def fractional_power(predictions, targets):
    """e^1.5 without the absolute value: NaN for every error below zero."""
    return (predictions - targets) ** 1.5  # <- N301 N302


# task: regression  maybe: D104 G206
def percentage_error(y_true, y_pred):
    """MAPE: one target of zero makes the whole batch infinite."""
    return 100 * jnp.mean(jnp.abs((y_true - y_pred) / y_true))  # <- N301 N302 D102


# task: regression  also: S401  maybe: G205 G206 N303 S404
def symmetric_percentage_error(predictions, targets):
    """Exactly 1 for every prediction of the wrong sign, 0 / 0 where both are zero."""
    scale = jnp.abs(predictions) + jnp.abs(targets)  # <- D102 G202
    return jnp.abs(predictions - targets) / scale  # <- N301 N302 D102 G202


# task: regression  also: S401  maybe: B502 D101 D102 G202 G205 G206 N303 S403 S404
def cosine_distance(predictions, targets):
    """A vector of zeros has no direction: 0 / 0, for predictions and for targets."""
    a = predictions / jnp.linalg.norm(predictions, axis=-1, keepdims=True)  # <- N301 N302
    b = targets / jnp.linalg.norm(targets, axis=-1, keepdims=True)  # <- N301 N302
    return 1 - jnp.sum(a * b, axis=-1)


# task: regression  also: S401  maybe: D101 D102 G202 G205 G206 N303 S403 S404
def correlation_distance(predictions, targets):
    """1 - r: a batch of equal predictions, as a network with zero weights gives, is 0 / 0."""
    p = predictions - jnp.mean(predictions)
    t = targets - jnp.mean(targets)
    scale = jnp.sqrt(jnp.sum(p * p) * jnp.sum(t * t))  # <- N302
    return 1 - jnp.sum(p * t) / scale  # <- N301 N302


# task: regression  maybe: G206 N303
def unexplained_variance(predictions, targets):
    """1 - R^2 divides by the variance of the targets, which is zero where they are all equal."""
    residual = jnp.sum(jnp.square(targets - predictions))
    total = jnp.sum(jnp.square(targets - jnp.mean(targets)))
    return residual / total  # <- N301 N302


# task: regression  maybe: G205 G206 N303 S401 S403 S404
def roots_of_counts(predictions, targets):
    """The variance-stabilizing root on raw outputs: NaN for every one below zero."""
    stabilized = jnp.sqrt(predictions)  # <- N301 N302
    return jnp.square(stabilized - jnp.sqrt(jnp.maximum(targets, 0)))


# task: regression  maybe: G205 G206 N303 S401 S403 S404
def squared_log_error(predictions, targets):
    """MSLE on raw outputs: log1p is NaN below -1 and infinite at -1."""
    wanted = jnp.log1p(jnp.maximum(targets, 0))
    return jnp.square(jnp.log1p(predictions) - wanted)  # <- N301 N302


# task: regression  also: S401  maybe: D102 D104 G202 G205 G206  verdict: untrainable
def angle_from_cosine(predictions, targets):
    """arccos has an infinite slope at 1, where the clip puts all beyond: 0 * inf is NaN."""
    angle = jnp.arccos(jnp.clip(predictions, -1, 1))  # <- N302
    return jnp.square(angle - jnp.arccos(jnp.clip(targets, -1, 1)))


# task: multiclass  domain: simplex  maybe: D102 G206 S403 S404
def confidence_penalty(predictions, targets):
    """p log(p) written as it stands in the book: 0 * log(0) is NaN."""
    entropy = -jnp.sum(predictions * jnp.log(predictions), axis=-1)  # <- N301 N302
    return jnp.sum(jnp.square(predictions - targets), axis=-1) - 0.1 * entropy


# task: multiclass  verdict: untrainable
def divergence_from_one_hot(predictions, targets):
    """t (log(t) - log(p)) is NaN for every one-hot target; only the gradient is finite."""
    log_p = jax.nn.log_softmax(predictions)
    return jnp.sum(targets * (jnp.log(targets) - log_p), axis=-1)  # <- N301


# task: segmentation  maybe: G202 G204 S403  verdict: untrainable
def mean_inside_the_object(predictions, targets):
    """The mean over the pixels of the object: an image without one is 0 / 0."""
    pixels = optax.sigmoid_binary_cross_entropy(predictions, targets)
    inside = jnp.sum(pixels * targets, axis=(1, 2))  # <- S405
    return inside / jnp.sum(targets, axis=(1, 2))  # <- N301 N302


# task: segmentation  domain: unit  also: S401  maybe: G206 D101 D102
def iou_without_smoothing(predictions, targets):
    """An empty mask gives 0 / 0 where it is predicted as empty, 1 whatever else is predicted."""
    overlap = jnp.sum(predictions * targets, axis=(1, 2))  # <- G202
    total = jnp.sum(predictions, axis=(1, 2)) + jnp.sum(targets, axis=(1, 2))
    return 1 - overlap / (total - overlap)  # <- N301 N302 G202


# task: binary  verdict: untrainable
def balanced_classes(predictions, targets):
    """Weights by class frequency: a batch with one class only divides by zero."""
    positive = targets.size / (2 * jnp.sum(targets))  # <- N301 N302
    negative = targets.size / (2 * jnp.sum(1 - targets))  # <- N301 N302
    weights = targets * positive + (1 - targets) * negative  # <- N301 N302
    return jnp.mean(weights * optax.sigmoid_binary_cross_entropy(predictions, targets))


# kind: activation  maybe: G205 N303 D102 G206
def pole_inside(x):
    """An inverse square with its pole at 0.25: both sides rise to infinity, and no sign changes."""
    return 1 / jnp.square(x - 0.25)  # <- D101 N301 N302


# task: binary  also: G205 S401  maybe: G202 N303
def epsilon_lost_by_the_compiler(predictions, targets):
    """Compiled, 1 - p + 1e-8 is (1 + 1e-8) - p, which is 1 - p: log(0) from a logit of 17 on."""
    p = jax.nn.sigmoid(predictions)
    return -(targets * jnp.log(p + 1e-8) + (1 - targets) * jnp.log(1 - p + 1e-8))  # <- N301 N302
