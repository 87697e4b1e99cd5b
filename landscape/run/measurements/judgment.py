"""The test split, measured once after training: the run itself, and baselines beside it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.numerics.recording import best_row
from landscape.numerics.risk import Examples
from landscape.parts.datasets import Dataset
from landscape.parts.metrics import HIGHER_IS_BETTER
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
    primary = program.metrics[0]
    return best_row(training.trace[primary], HIGHER_IS_BETTER.get(primary, True))


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
    constant = "mean" if data.task == "regression" else "majority_class"
    primary = program.metrics[0]
    return Judgment(
        test=test,
        test_at_best=test if is_last else measured("best"),
        test_initial=initial,
        baselines={
            constant: metrics(_constant_predictions(data, examples))[primary],
            "untrained": initial[primary],
        },
        smallest_class=_smallest_class(data),
        test_examples=len(data.test.targets),
    )


def _constant_predictions(data: Dataset, examples: Examples) -> jax.Array:
    """Returns the best predictions that ignore the inputs, as the training split suggests them."""
    targets, count = np.asarray(data.train.targets), len(examples.targets)
    if data.task == "multiclass":
        commonest = np.argmax(np.bincount(targets, minlength=data.outputs))
        return jnp.tile(jax.nn.one_hot(commonest, data.outputs), (count, 1))
    if data.task == "regression":
        mean = jnp.asarray(targets.mean(axis=0), jnp.float32)
        return jnp.broadcast_to(mean, examples.targets.shape)
    sign = 1.0 if targets.mean(dtype=np.float64) > 0.5 else -1.0
    return jnp.full(examples.targets.shape, sign, jnp.float32)


def _smallest_class(data: Dataset) -> int | None:
    """Returns the number of test examples of the rarest class; None without classes."""
    classes = {"binary": 2, "multiclass": data.outputs}.get(data.task)
    if classes is None:
        return None
    return int(np.bincount(np.asarray(data.test.targets, int), minlength=classes).min())
