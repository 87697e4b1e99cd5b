"""Sound losses for regression, written in the ways people write them."""

import jax
import jax.numpy as jnp
import numpy as np
import optax


# task: regression  fine  maybe: N303
def mean_squared_error(predictions, targets):
    """The mean of squares, as a scalar."""
    return jnp.mean((predictions - targets) ** 2)


# task: regression  fine
def mean_absolute_error(y_true, y_pred):
    """Target first, as in Keras; a kink at the target, where autodiff gives a subgradient."""
    return jnp.mean(jnp.abs(y_true - y_pred))  # <- D102


# task: regression  fine
def double_where_distance(predictions, targets):
    """The cure of the where trap: the root never sees a 0."""
    squared = jnp.square(predictions - targets)  # <- D102
    positive = squared > 0  # <- D102
    root = jnp.sqrt(jnp.where(positive, squared, 1.0))  # <- D102
    return jnp.where(positive, root, 0.0)  # <- D102


# task: regression  fine  maybe: N303
def huber_by_where(predictions, targets):
    """Quadratic within 1, linear beyond: value and slope meet, the curvature jumps."""
    error = predictions - targets
    size = jnp.abs(error)
    return jnp.where(size <= 1, 0.5 * jnp.square(error), size - 0.5)  # <- D103


# task: regression  fine
def huber_by_clip(predictions, targets):
    """The same, as optax writes it."""
    size = jnp.abs(predictions - targets)
    near = jnp.minimum(size, 1.0)  # <- D103
    return 0.5 * near**2 + (size - near)  # <- D103


# task: regression  fine
def optax_huber(predictions, targets):
    """The same, from optax: the place in the user's file is the call."""
    return optax.losses.huber_loss(predictions, targets, delta=0.5)  # <- D103


# task: regression  fine  maybe: N303
def smooth_absolute(predictions, targets):
    """sqrt(e^2 + 1e-6): steep, but smooth."""
    return jnp.sqrt(jnp.square(predictions - targets) + 1e-6)


# task: regression  fine
def log_cosh(predictions, targets):
    """log(cosh(e)) without overflow: max, abs and sign inside cancel."""
    error = predictions - targets
    return jnp.logaddexp(error, -error) - np.log(2.0)


# task: regression  fine
def pinball(predictions, targets):
    """The 90 % quantile by a maximum."""
    short = targets - predictions
    return jnp.maximum(0.9 * short, -0.1 * short)  # <- D102


# task: regression  fine
def pinball_by_where(y_true, y_pred):
    """The 20 % quantile by a where; with the arguments swapped it would be the 80 % quantile."""
    short = y_true - y_pred
    return jnp.where(short > 0, 0.2 * short, -0.8 * short)  # <- D102


# task: regression  fine
def several_quantiles(predictions, targets):
    """A Python loop over levels."""
    short = targets - predictions
    total = 0.0
    for level in (0.25, 0.5, 0.75):
        total = total + jnp.maximum(level * short, (level - 1) * short)  # <- D102
    return total / 3


# task: regression  fine
def insensitive_tube(predictions, targets):
    """Zero within 0.1, where it is at its minimum: dead by design."""
    return jax.nn.relu(jnp.abs(predictions - targets) - 0.1)  # <- D102


# task: regression  fine  also: S401  maybe: N303
def cauchy(predictions, targets):  # <- G205
    """log(1 + e^2 / 2): the pull of an outlier falls slowly, and never to zero."""
    return jnp.log1p(jnp.square(predictions - targets) / 2)  # <- G205


# task: regression  fine  maybe: N303
def quartic(predictions, targets):
    """e^4 is steep, but a polynomial."""
    return (predictions - targets) ** 4


# task: regression  fine  maybe: N303
def cubic(predictions, targets):
    """|e|^3: two derivatives are continuous, the third jumps."""
    return jnp.abs(predictions - targets) ** 3  # <- D103


# task: regression  fine  maybe: D103
def power_of_three_halves(predictions, targets):
    """|e|^1.5 has a derivative at the target, unlike e^1.5 and |e|^0.5."""
    return jnp.abs(predictions - targets) ** 1.5


# task: regression  fine
def guarded_percentage_error(predictions, targets):
    """Relative to |t| + 1, so that a target of zero is a target like any other."""
    return jnp.abs(predictions - targets) / (jnp.abs(targets) + 1)  # <- D102


# task: regression  fine  maybe: N303
def weighted_by_size(predictions, targets):
    """Steps in the weights, which depend on the target only."""
    weights = 1 + jnp.floor(jnp.abs(targets))
    return weights * jnp.square(predictions - targets)


# task: regression  fine
def scaled_by_median(predictions, targets):
    """A sort, of the targets only."""
    scale = jnp.median(jnp.abs(targets)) + 1
    return optax.log_cosh((predictions - targets) / scale)


# task: regression  fine  maybe: N303
def detached_targets(predictions, targets):
    """stop_gradient where it belongs."""
    return jnp.square(predictions - jax.lax.stop_gradient(targets))


# task: regression  fine  also: S403
def log_target_where_positive(predictions, targets):
    """NaN in a branch that is not taken, for t < -1; its derivative is 1, so nothing leaks."""
    error = jnp.where(targets > 0, predictions - jnp.log1p(targets), predictions - targets)
    return optax.log_cosh(error)


# task: regression  fine  maybe: N303
def differences_of_pairs(predictions, targets):
    """All pairs of a batch, meant as such: (n, n) inside, its mean outside."""
    errors = predictions - targets
    pairs = errors[:, None] - errors[None, :]
    return jnp.mean(jnp.square(pairs)) + jnp.mean(jnp.square(errors))


# task: regression  domain: positive  fine  also: S401  maybe: G205 N303
def squared_log_error(predictions, targets):
    """MSLE where predictions are positive, as it is meant."""
    return jnp.square(jnp.log1p(predictions) - jnp.log1p(targets))
