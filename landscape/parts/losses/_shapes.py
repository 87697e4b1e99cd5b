"""What every loss checks first: shapes, since `a - b` broadcasts, and the range of its options."""

import math
from collections.abc import Callable, Mapping
from numbers import Real

import jax
import jax.numpy as jnp

from landscape.errors import UserError


def matched(predictions: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both as arrays of the same shape and of the predictions' dtype; else UserError."""
    predictions, targets = jnp.asarray(predictions), jnp.asarray(targets)
    if predictions.shape != targets.shape:
        raise UserError(f"{_found(predictions, targets)}; expected the same shape")
    if not jnp.issubdtype(predictions.dtype, jnp.floating):
        raise UserError(f"predictions are {predictions.dtype}; expected floating-point numbers")
    return predictions, targets.astype(predictions.dtype)


def matched_classes(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """As `matched`, for logits and one-hot targets `(batch, classes)` with two classes or more."""
    if jnp.ndim(logits) == 2 and jnp.ndim(targets) == 1:
        raise UserError(
            f"{_found(logits, targets)}; expected one-hot targets, not integer labels",
            hint="pass `jax.nn.one_hot(labels, classes)`; in a config, `targets: onehot`",
        )
    logits, targets = matched(logits, targets)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise UserError(f"{_found(logits, targets)}; expected (batch, classes), 2 classes or more")
    return logits, targets


def matched_images(logits: jax.Array, masks: jax.Array) -> tuple[jax.Array, jax.Array]:
    """As `matched`, for logits and masks `(batch, height, width)`."""
    logits, masks = matched(logits, masks)
    if logits.ndim != 3:
        raise UserError(f"{_found(logits, masks)}; expected (batch, height, width)")
    return logits, masks


def check_positive(**options: float) -> None:
    """UserError unless each option is above 0 and finite."""
    _check(options, lambda value: 0 < value < math.inf, "a finite number above 0")


def check_at_least(low: float, **options: float) -> None:
    """UserError unless low <= option < inf for each option."""
    expected = f"a number that is {low:g} or above, and below inf"
    _check(options, lambda value: low <= value < math.inf, expected)


def check_between(low: float, high: float, **options: float) -> None:
    """UserError unless low <= option <= high for each option."""
    _check(options, lambda value: low <= value <= high, f"a number from {low:g} to {high:g}")


def check_inside(low: float, high: float, **options: float) -> None:
    """UserError unless low < option < high for each option."""
    expected = f"a number between {low:g} and {high:g}, both excluded"
    _check(options, lambda value: low < value < high, expected)


def _check(options: Mapping[str, object], valid: Callable[[float], bool], expected: str) -> None:
    for name, value in options.items():
        # A jax array may be traced, as where an option is vmapped: it has no value to look at.
        if isinstance(value, jax.Array):
            continue
        if not isinstance(value, Real) or not valid(float(value)):
            raise UserError(f"option `{name}` is {value!r}; expected {expected}")


def _found(predictions: jax.Array, targets: jax.Array) -> str:
    return f"predictions have shape {jnp.shape(predictions)}, targets {jnp.shape(targets)}"
