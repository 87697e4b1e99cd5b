"""Checks of shapes, which every loss makes first: `predictions - targets` would broadcast."""

import jax
import jax.numpy as jnp

from landscape.errors import UserError


def matched(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns both as arrays of the predictions' dtype; raises UserError if shapes differ."""
    predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
    if predictions.shape != targets.shape:
        raise _unexpected(predictions, targets, "the same shape")
    if not jnp.issubdtype(predictions.dtype, jnp.floating):
        raise UserError(f"predictions are {predictions.dtype}; expected floating-point numbers")
    return predictions, targets.astype(predictions.dtype)


def matched_classes(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """As `matched`, for logits and one-hot targets `(batch, classes)` with two classes or more."""
    if jnp.ndim(logits) == 2 and jnp.ndim(targets) == 1:
        hint = "pass `jax.nn.one_hot(labels, classes)`; in a config, `targets: onehot`"
        raise _unexpected(logits, targets, "one-hot targets, not integer labels", hint)
    logits, targets = matched(logits, targets)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise _unexpected(logits, targets, "(batch, classes), 2 classes or more")
    return logits, targets


def matched_images(logits: jax.Array, masks: jax.Array) -> tuple[jax.Array, jax.Array]:
    """As `matched`, for logits and masks `(batch, height, width)`."""
    logits, masks = matched(logits, masks)
    if logits.ndim != 3:
        raise _unexpected(logits, masks, "(batch, height, width)")
    return logits, masks


def _unexpected(
    predictions: jax.Array, targets: jax.Array, expected: str, hint: str | None = None
) -> UserError:
    shapes = f"predictions have shape {jnp.shape(predictions)}, targets {jnp.shape(targets)}"
    return UserError(f"{shapes}; expected {expected}", hint=hint)
