"""Checks of shapes, which every loss makes first: `predictions - targets` would broadcast."""

import jax
import jax.numpy as jnp

from landscape.errors import UserError


def matched(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns both as arrays of the predictions' dtype; raises UserError if shapes differ."""
    predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
    if predictions.shape != targets.shape:
        raise _unexpected(predictions, targets, "the same shape")
    return _floating(predictions), targets.astype(predictions.dtype)


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


def matched_label_images(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns logits `(batch, height, width, classes)` and one-hot labels of the same shape.

    Labels `(batch, height, width)` may be stored as floating-point numbers, as masks of one object
    are; a label that is not a class is 0 in every class. Raises UserError if the shapes differ or
    there are fewer than two classes.
    """
    logits, labels = _floating(logits), jnp.asarray(labels)
    if logits.ndim != 4 or logits.shape[:-1] != labels.shape or logits.shape[-1] < 2:
        expected = "predictions (batch, height, width, classes), 2 classes or more, and labels "
        raise _unexpected(logits, labels, expected + "(batch, height, width)")
    one_hot = jax.nn.one_hot(labels.astype(jnp.int32), logits.shape[-1], dtype=logits.dtype)
    return logits, one_hot


def matched_head(
    predictions: jax.Array, targets: jax.Array, columns: str
) -> tuple[jax.Array, jax.Array]:
    """Returns floating-point predictions `(batch, columns)` and targets `(batch,)` of their dtype.

    Raises UserError if the shapes differ; `columns` describes the columns in its message.
    """
    predictions, targets = _floating(predictions), jnp.asarray(targets)
    if predictions.ndim != 2 or predictions.shape[:1] != targets.shape:
        expected = f"predictions (batch, {columns}) and targets (batch,)"
        raise _unexpected(predictions, targets, expected)
    return predictions, targets.astype(predictions.dtype)


def matched_labels(
    predictions: jax.Array, labels: jax.Array, shape: str
) -> tuple[jax.Array, jax.Array]:
    """Returns predictions of `shape`, such as `batch, classes`, and labels without the last axis.

    Raises UserError if the shapes differ, or if the labels are not integers.
    """
    predictions, labels = _floating(predictions), jnp.asarray(labels)
    leading = ", ".join(shape.split(", ")[:-1])
    if predictions.ndim != len(shape.split(", ")) or predictions.shape[:-1] != labels.shape:
        leading += "," if "," not in leading else ""
        raise _unexpected(predictions, labels, f"predictions ({shape}) and labels ({leading})")
    if not jnp.issubdtype(labels.dtype, jnp.integer) and labels.dtype != jnp.bool_:
        raise UserError(
            f"targets are {labels.dtype}; expected integer labels",
            hint="convert them: `labels.astype(int)`",
        )
    return predictions, labels.astype(jnp.int32)


def matched_rows(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """As `matched`, for one number per example: `(batch,)`."""
    predictions, targets = matched(predictions, targets)
    if predictions.ndim != 1:
        raise _unexpected(predictions, targets, "(batch,)")
    return predictions, targets


def matched_field(name: str, values: jax.Array, targets: jax.Array) -> jax.Array:
    """Returns a further array of the examples; raises UserError if it is not shaped as targets."""
    values = jnp.asarray(values)
    if values.shape != jnp.shape(targets):
        shapes = f"`{name}` has shape {values.shape}, targets {jnp.shape(targets)}"
        raise UserError(f"{shapes}; expected the same shape")
    return values


def _floating(predictions: jax.Array) -> jax.Array:
    predictions = jnp.asarray(predictions)
    if not jnp.issubdtype(predictions.dtype, jnp.floating):
        raise UserError(f"predictions are {predictions.dtype}; expected floating-point numbers")
    return predictions


def _unexpected(
    predictions: jax.Array, targets: jax.Array, expected: str, hint: str | None = None
) -> UserError:
    shapes = f"predictions have shape {jnp.shape(predictions)}, targets {jnp.shape(targets)}"
    return UserError(f"{shapes}; expected {expected}", hint=hint)
