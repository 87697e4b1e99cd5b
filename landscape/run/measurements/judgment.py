"""The test split, measured once after training: the run itself, and baselines beside it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.numerics.recording import best_row
from landscape.numerics.risk import Examples
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
    thresholds: dict[str, float]
    smallest_class: int | None
    test_examples: int | None


NOT_JUDGED = Judgment({}, {}, {}, {}, {}, None, None)


def best_number(program: Program, training: Training) -> int:
    """Returns the number of the recorded row with the best primary metric."""
    higher_is_better = program.metrics[program.primary].higher_is_better
    return best_row(training.trace[program.primary], higher_is_better)


def judge(program: Program, data: Dataset, training: Training, evaluation: Examples) -> Judgment:
    """Measures every metric on the test split: of the last and the best step, and of baselines.

    Thresholds that are chosen are chosen on the `evaluation` examples, for each of these anew;
    those of the last step are recorded.
    """
    examples, instruments = split_examples(data.test), program.instruments
    tunes = any(metric.tune is not None for metric in program.metrics.values())

    def metrics(predict: Callable[[Examples], jax.Array]) -> dict[str, float]:
        tuned_on = (predict(evaluation), evaluation) if tunes else None
        values = instruments.metrics_of(predict(examples), examples, tuned_on)
        return {name: float(values[name]) for name in program.metrics}

    def predict(name: str, some: Examples) -> jax.Array:
        state = training.states.get(name)
        return instruments.predict(getattr(training, name), some._replace(state=state))

    def measured(name: str) -> dict[str, float]:
        return metrics(lambda some: predict(name, some))

    test, initial = measured("trained"), measured("initial")
    is_last = best_number(program, training) == len(training.trace["step"]) - 1
    baselines = {"untrained": initial[program.primary]}
    constant = _constant_prediction(program.task, data)
    if constant is not None:
        repeated = metrics(
            lambda some: jnp.broadcast_to(constant, (len(some.inputs), *constant.shape))
        )
        baselines = {program.task.baseline: repeated[program.primary]} | baselines
    thresholds = {}
    if tunes:
        thresholds = instruments.thresholds_of(predict("trained", evaluation), evaluation)
    return Judgment(
        test=test,
        test_at_best=test if is_last else measured("best"),
        test_initial=initial,
        baselines=baselines,
        thresholds={name: float(value) for name, value in thresholds.items()},
        smallest_class=min(data.counts["test"].values(), default=None),
        test_examples=len(data.test.targets),
    )


def _constant_prediction(task: Task, data: Dataset) -> jax.Array | None:
    """Returns the best prediction that ignores the inputs, as the training split suggests it."""
    constant = task.constant(np.asarray(data.train.targets), data.train.fields, data.outputs)
    return None if constant is None else jnp.asarray(constant, jnp.float32)
