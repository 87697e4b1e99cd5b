"""The test split, measured once after training: the run itself, and baselines beside it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.numerics.recording import best_row
from landscape.parts.datasets import Dataset
from landscape.parts.tasks import Task
from landscape.run.measurements.measured_point import Training
from landscape.run.program import Program
from landscape.run.training_inputs import split_examples

PyTree = Any


class Judgment(NamedTuple):
    """Fields of `summary.json` of the same names; empty for a run that is not judged."""

    test: dict[str, float]
    test_at_best: dict[str, float]
    test_initial: dict[str, float]
    baselines: dict[str, float]
    smallest_class: int | None
    test_examples: int | None


NOT_JUDGED = Judgment({}, {}, {}, {}, None, None)


def best_number(program: Program, training: Training) -> int:
    """Returns the number of the recorded row with the best primary metric."""
    higher_is_better = program.metrics[program.primary].higher_is_better
    return best_row(training.trace[program.primary], higher_is_better)


def judge(program: Program, data: Dataset, training: Training) -> Judgment:
    """Measures every metric on the test split: of the last and the best step, and of baselines."""
    examples, instruments = split_examples(data.test), program.instruments

    def metrics(predictions: jax.Array) -> dict[str, float]:
        values = instruments.metrics_of(predictions, examples)
        return {name: float(values[name]) for name in program.metrics}

    def measured(name: str) -> dict[str, float]:
        at_state = examples._replace(state=training.states.get(name))
        return metrics(instruments.predict(getattr(training, name), at_state))

    test, initial = measured("trained"), measured("initial")
    is_last = best_number(program, training) == len(training.trace["step"]) - 1
    baselines = {"untrained": initial[program.primary]}
    constant = _constant_predictions(program.task, data)
    if constant is not None:
        baselines = {program.task.baseline: metrics(constant)[program.primary]} | baselines
    return Judgment(
        test=test,
        test_at_best=test if is_last else measured("best"),
        test_initial=initial,
        baselines=baselines,
        smallest_class=min(data.counts["test"].values(), default=None),
        test_examples=len(data.test.targets),
    )


def _constant_predictions(task: Task, data: Dataset) -> jax.Array | None:
    """Returns the best predictions that ignore the inputs, as the training split suggests them."""
    constant = task.constant(np.asarray(data.train.targets), data.train.fields, data.outputs)
    if constant is None:
        return None
    example = jnp.asarray(constant, jnp.float32)
    return jnp.broadcast_to(example, (len(data.test.targets), *example.shape))
