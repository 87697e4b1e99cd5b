"""What training records, and at which steps."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.parts.metrics import Measurement

PyTree = Any


class Recording(NamedTuple):
    """What training records: measurements of the evaluation set, counts of steps, checkpoints.

    The evaluation set is measured in batches of `evaluation_batch` examples. A step counts as
    vanishing if the mean absolute gradient is below `vanishing`, as exploding if the norm of the
    gradient is above `exploding`. The parameters at the recorded step with the best value of the
    `primary` column are kept, see `Best`.
    """

    measurements: Sequence[Measurement]
    evaluation_batch: int
    vanishing: float
    exploding: float
    checkpoints: int = 0
    primary: str = "risk/evaluation"
    higher_is_better: bool = False


class Best(NamedTuple):
    """The best recorded step so far: its score, of which the largest is best, and its variables.

    The score is the primary column, negated if lower is better, and -inf if it is not finite.
    """

    score: jax.Array
    variables: PyTree


def first_best(variables: PyTree) -> Best:
    """Returns the initial point as the best step, before any is recorded."""
    copy = jax.tree.map(jnp.copy, variables)
    return Best(jnp.full((), -jnp.inf, jnp.float32), copy)


def score(recording: Recording, row: dict[str, jax.Array]) -> jax.Array:
    """Returns the score of a recorded step, see `Best`."""
    value = row[recording.primary].astype(jnp.float32)
    signed = value if recording.higher_is_better else -value
    return jnp.where(jnp.isfinite(value), signed, -jnp.inf)


def better(best: Best, value: jax.Array, variables: PyTree) -> Best:
    """Returns the better of the best step so far and one with this score: the first if equal."""
    return lax.cond(value > best.score, lambda: Best(value, variables), lambda: best)


def best_row(column: np.ndarray, higher_is_better: bool) -> int:
    """Returns the number of the row of the best step, from the primary column of all rows."""
    values = np.asarray(column, np.float32)
    signed = values if higher_is_better else -values
    return int(np.argmax(np.where(np.isfinite(values), signed, -np.inf)))


def recorded_steps(steps: int, every: int) -> list[int]:
    """Returns 0, `every`, 2 `every`, ... and always `steps`: when to record, in updates."""
    return [*range(0, steps, every), steps]


def checkpoint_slots(record_at: Sequence[int], count: int) -> list[int]:
    """Returns the place of each recorded step among `count` checkpoints, `count` if it has none.

    Checkpoints are spread evenly over the recorded steps, including the first and the last; if
    there are fewer recorded steps than `count`, each is a checkpoint.
    """
    recorded = len(record_at)
    count = min(count, recorded)
    slots = {round(i * (recorded - 1) / max(count - 1, 1)): i for i in range(count)}
    return [slots.get(i, count) for i in range(recorded)]
