"""Broken losses of tasks that the corpus of the tests does not have: what people write first.

Each has a healthy counterpart in the menu. Arguments are those of the menu's losses of the task.
"""

import jax
import jax.numpy as jnp
import optax


def unequal_hits(predictions, targets):
    """Multilabel: the share of labels whose decision is wrong."""
    decided = (predictions > 0).astype(jnp.float32)
    return jnp.mean(jnp.abs(decided - targets), axis=-1)


def negated_targets(predictions, targets):
    """Multilabel: a cross entropy with the labels the wrong way around."""
    return jnp.mean(optax.sigmoid_binary_cross_entropy(predictions, 1 - targets), axis=-1)


def distance_of_decisions(predictions, targets):
    """Ordinal, thresholds: by how many classes the decision is wrong."""
    decided = jnp.sum(predictions > 0, axis=-1)
    return jnp.abs(decided - targets).astype(jnp.float32)


def boxes_of_whole_pixels(predictions, targets):
    """Boxes: corners are rounded to pixels before they are compared."""
    return jnp.abs(jnp.round(predictions) - targets)


def missed_boxes(predictions, targets):
    """Boxes: 1 if the overlap is below one half."""
    low = jnp.maximum(predictions[:, :2], targets[:, :2])
    high = jnp.minimum(predictions[:, 2:], targets[:, 2:])
    both = jnp.prod(jnp.maximum(high - low, 0), axis=-1)
    sizes = [jnp.prod(jnp.maximum(b[:, 2:] - b[:, :2], 0), axis=-1) for b in (predictions, targets)]
    return jnp.where(both / (sizes[0] + sizes[1] - both + 1e-6) < 0.5, 1.0, 0.0)


def misordered_pairs(predictions, targets, *, groups):
    """Ranking: the share of pairs in the wrong order."""
    better = (targets[:, None] > targets) & (groups[:, None] == groups)
    wrong = predictions[:, None] <= predictions
    return jnp.sum(jnp.where(better & wrong, 1.0, 0.0)) / jnp.maximum(jnp.sum(better), 1)


def reversed_pairs(predictions, targets, *, groups):
    """Ranking: ranknet with its difference the wrong way around."""
    better = (targets[:, None] > targets) & (groups[:, None] == groups)
    costs = jax.nn.softplus(predictions[:, None] - predictions)
    return jnp.sum(jnp.where(better, costs, 0.0)) / jnp.maximum(jnp.sum(better), 1)


def discordance(predictions, targets, *, events):
    """Survival: 1 - the concordance index itself."""
    earlier = (targets[:, None] < targets) & (events[:, None] > 0)
    right = predictions[:, None] > predictions
    return 1 - jnp.sum(earlier & right) / jnp.maximum(jnp.sum(earlier), 1)


def squared_time(predictions, targets, *, events):
    """Survival: a regression on the time, where a high prediction should mean a high risk."""
    return events * jnp.square(predictions - targets)


def scale_without_cost(predictions, targets):
    """Distribution: the squared error in units of the scale, without the logarithm of the scale."""
    mean, log_scale = predictions[:, 0], predictions[:, 1]
    return jnp.square(mean - targets) * jnp.exp(-2 * log_scale)


def wrong_neighbors(predictions, targets):
    """Embedding: the share of examples whose nearest neighbor has another label."""
    gaps = jnp.sum(jnp.square(predictions[:, None] - predictions), axis=-1)
    nearest = jnp.argmin(gaps + 1e9 * jnp.eye(len(targets)), axis=1)
    return jnp.mean((targets[nearest] != targets).astype(jnp.float32))
