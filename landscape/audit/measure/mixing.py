"""Whether a loss mixes the examples of a batch, so that they cannot be audited one by one."""

from collections.abc import Callable
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.static.mixing import row_use
from landscape.audit.static.target_tests import TargetTests, target_tests
from landscape.numerics.compiling import jit_once

Array = Any
DRAWS = 24  # pairs of batches that are compared
ROWS = 5  # of a batch; not the number of classes, so that labels never broadcast against them
WIDE = 6.0  # factor of the predictions of every second draw, on the reals
TESTED = 3  # constants with which the program compares its targets
TOLERANCE = 1e-4  # of the mixed difference, relative to the values


def mixes_examples(
    program: jex.ClosedJaxpr,
    batched: Callable[[Array, Any], Array],
    draw: Callable[[int], tuple[Array, Any]],
) -> bool:
    """Whether the mean of a loss over a batch is not a sum of terms of one example each.

    Also if it leaves out examples by their position.
    `program` is that of `batched(predictions, targets)`; `draw(rows)` returns random ones. What
    the rules of the program cannot exclude must show in a measurement.
    """
    shape = program.jaxpr.outvars[0].aval.shape
    if shape.count(ROWS) > 1:
        return False  # a value per pair of examples: B501 judges the shape
    use = row_use(program)
    if not use.every:
        return True
    if use.separate:
        return False
    try:
        return _interact(batched, *draw(2 * DRAWS * ROWS), target_tests(program))
    except Exception:  # the loss cannot be evaluated at other batches
        return True


def _interact(
    batched: Callable[[Array, Any], Array], predictions: Array, targets: Any, tests: TargetTests
) -> bool:
    """Whether the effect of changing one example depends on another example.

    For a sum of terms of one example each, the mixed difference f(a, b) - f(a', b) - f(a, b') +
    f(a', b') vanishes.
    """
    first = _pairs(predictions, wide=True)
    flat, structure = jax.tree.flatten(targets)
    halves = zip(*(_pairs(array, wide=False) for array in flat), strict=True)
    second = [jax.tree.unflatten(structure, half) for half in halves]
    values = jax.tree.leaves(second[1])[0]
    codes = list(tests.constants[:TESTED])  # a mask may look for them
    if values.dtype.kind == "f":
        codes += [0.0, np.nan] if tests.nan else [0.0]
    for number, code in enumerate(codes):
        values[number :: 2 + len(codes)] = code
    p, t = _crossed(*first), jax.tree.map(_crossed, *second)
    mean = jit_once(jax.vmap(jax.vmap(lambda p, t: jnp.mean(batched(p, t)))))
    costs = np.asarray(mean(p, t), np.float64)  # (4, DRAWS)
    with np.errstate(invalid="ignore"):
        difference = costs[0] - costs[1] - costs[2] + costs[3]
        level = np.abs(costs).sum(0)
    finite = np.isfinite(difference)
    if not finite.any():
        return True
    return bool(np.any(np.abs(difference[finite]) > TOLERANCE * level[finite]))


def _pairs(array: Array, wide: bool) -> tuple[Array, Array]:
    """Returns two batches of ROWS examples per draw, `(DRAWS, ROWS, ...)`."""
    both = array.reshape(2, DRAWS, ROWS, *array.shape[1:]).copy()
    if wide and (array.min() < 0 or array.max() > 1):
        factor = np.where(np.arange(DRAWS) % 2, WIDE, 1.0).astype(array.dtype)
        both = both * factor.reshape(1, DRAWS, *(1,) * (both.ndim - 2))
    return both[0], both[1]


def _crossed(first: Array, second: Array) -> Array:
    """Returns batches with the first example, another one, both or neither from `second`."""
    batches = np.stack([first] * 4)
    other = 1 + np.arange(DRAWS) % (ROWS - 1)
    draws = np.arange(DRAWS)
    for number in (1, 3):
        batches[number, :, 0] = second[:, 0]
    for number in (2, 3):
        batches[number, draws, other] = second[draws, other]
    return batches
