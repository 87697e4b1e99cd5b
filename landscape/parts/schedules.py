"""Schedules: `name(learning_rate, steps, *, options) -> optax.Schedule`, the rate at a step t.

The first update is step 0, the last is `steps - 1`; after `steps` the rate is constant. Not those
of optax, whose cosine mixes integers and floats, which strict dtype promotion forbids. Raises
UserError if a value is out of range.
"""

import jax
import jax.numpy as jnp
import optax

from landscape.parts._options import check_in, check_rate, check_whole


def constant(learning_rate: float, steps: int) -> optax.Schedule:
    """rate(t) = learning_rate at every step.

    Choose it as the baseline, for short runs, and for rates well below the edge of stability.
    """
    _check(learning_rate, steps)
    return optax.constant_schedule(learning_rate)


def cosine(learning_rate: float, steps: int, *, final: float = 0.0) -> optax.Schedule:
    """rate(t) = learning_rate (final + (1 - final) (1 + cos(pi t / steps)) / 2).

    `final` is the fraction of the learning rate at `steps`, from 0 to 1. Source: Loshchilov and
    Hutter 2017 (SGDR), one cycle without restarts. Choose it to let the last steps converge, so
    that the trained point lies in a minimum and not beside it.
    """
    return warmup_cosine(learning_rate, steps, warmup=0.0, final=final)


def warmup_cosine(
    learning_rate: float, steps: int, *, warmup: float = 0.1, final: float = 0.0
) -> optax.Schedule:
    """rate(t) rises linearly from 0 over warmup * steps, then falls as a cosine to final.

    With w = warmup * steps rounded to whole steps (at most steps - 1): learning_rate t / w for
    t < w, then learning_rate (final + (1 - final) (1 + cos(pi (t - w) / (steps - w))) / 2). With
    w > 0 the first update is zero. `warmup` is a fraction of `steps` in [0, 1), `final` one of the
    learning rate in [0, 1]. Source: Goyal et al. 2017 (warmup), Loshchilov and Hutter 2017
    (cosine). Choose it for adaptive optimizers and deep networks whose first steps diverge.
    """
    _check(learning_rate, steps)
    check_in("[0, 1)", warmup=warmup)
    check_in("[0, 1]", final=final)
    rising = min(round(warmup * steps), steps - 1)

    def rate(count: jax.typing.ArrayLike) -> jax.Array:
        t = jnp.minimum(jnp.asarray(count, jnp.float32), steps)
        half_wave = (1 + jnp.cos(jnp.pi * (t - rising) / (steps - rising))) / 2
        fall = final + (1 - final) * half_wave
        return learning_rate * jnp.where(t < rising, t / max(rising, 1), fall)

    return rate


def _check(learning_rate: float, steps: int) -> None:
    check_rate(learning_rate)
    check_whole(1, steps=steps)
