"""Schedules: `name(learning_rate, steps, *, options) -> optax.Schedule`, rate at a step count.

The count of the first update is 0 and that of the last is `steps - 1`. After `steps` the rate stays
what it is at `steps`. Written out here rather than taken from optax, whose cosine mixes integers
and floats and so does not run under strict dtype promotion.
"""

import numbers
from typing import Any

import jax
import jax.numpy as jnp
import optax

from landscape.errors import UserError


def constant(learning_rate: float, steps: int) -> optax.Schedule:
    """rate(t) = learning_rate at every step.

    The baseline, and right for short runs and for optimizers with a rate well below the edge of
    stability.
    """
    _check(learning_rate, steps)
    return optax.constant_schedule(learning_rate)


def cosine(learning_rate: float, steps: int, *, final: float = 0.0) -> optax.Schedule:
    """rate(t) = learning_rate (final + (1 - final) (1 + cos(pi t / steps)) / 2).

    `final` is the share of the learning rate that is left at `steps`, from 0 to 1. Loshchilov and
    Hutter 2017 (SGDR), one cycle without restarts. Choose it to let the last steps settle, so that
    the trained point lies in a minimum and not beside it.
    """
    return warmup_cosine(learning_rate, steps, warmup=0.0, final=final)


def warmup_cosine(
    learning_rate: float, steps: int, *, warmup: float = 0.1, final: float = 0.0
) -> optax.Schedule:
    """rate(t) rises linearly from 0 over warmup * steps, then falls as a cosine to final.

    With w = warmup * steps rounded to whole steps (at most steps - 1): learning_rate t / w for
    t < w, then learning_rate (final + (1 - final) (1 + cos(pi (t - w) / (steps - w))) / 2). With
    w > 0 the very first update is zero. `warmup` is a share of `steps`, from 0 to below 1; `final`
    a share of the learning rate, from 0 to 1. Goyal et al. 2017 (warmup), Loshchilov and Hutter
    2017 (cosine). Choose it for adaptive optimizers and deep networks whose first steps diverge.
    """
    _check(learning_rate, steps)
    if not _is_number(warmup) or not 0 <= warmup < 1:
        raise UserError(f"`warmup` must be a share of the steps in [0, 1), found {warmup!r}")
    if not _is_number(final) or not 0 <= final <= 1:
        raise UserError(f"`final` must be a share of the learning rate in [0, 1], found {final!r}")
    rising = min(round(warmup * steps), steps - 1)

    def rate(count: jax.typing.ArrayLike) -> jax.Array:
        t = jnp.minimum(jnp.asarray(count, jnp.float32), steps)
        half_wave = (1 + jnp.cos(jnp.pi * (t - rising) / (steps - rising))) / 2
        fall = final + (1 - final) * half_wave
        return learning_rate * jnp.where(t < rising, t / max(rising, 1), fall)

    return rate


def _check(learning_rate: Any, steps: Any) -> None:
    if not _is_number(learning_rate) or not 0 <= learning_rate < float("inf"):
        raise UserError(
            f"`learning_rate` must be a finite number, not negative, found {learning_rate!r}",
            hint="a schedule scales one number: name the rate at its peak",
        )
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise UserError(f"`steps` must be a whole number of at least 1, found {steps!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)
