"""What training records, and at which steps."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax

from landscape.parts.metrics import Snapshot

Metric = Callable[[Snapshot], dict[str, jax.Array]]


class Recording(NamedTuple):
    """What training records: metrics of the evaluation set, counts of steps, checkpoints.

    The evaluation set is measured in batches of `evaluation_batch` examples. A step counts as
    vanishing if the mean absolute gradient is below `vanishing`, as exploding if the norm of the
    gradient is above `exploding`.
    """

    metrics: Sequence[Metric]
    evaluation_batch: int
    vanishing: float
    exploding: float
    checkpoints: int = 0


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
