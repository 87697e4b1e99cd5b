"""Examples for an audit from the user's own arrays: predictions, targets and further arguments."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landscape.audit.measure.domains import PLAUSIBLE, Domain, Draw, Target, domain
from landscape.audit.measure.task_examples import (
    EXAMPLES,
    ROWS,
    Goal,
    TaskExamples,
)
from landscape.audit.measure.task_targets import Layout
from landscape.errors import UserError, nearest

Array = np.ndarray
DISTINCT = 4  # targets that are audited one by one
_SPREADS = 2.0  # plausible predictions are within this many standard deviations of the example's
_USUAL: dict[Goal, str] = {
    "numbers": "regression",
    "sides": "binary",
    "classes": "multiclass",
    "free": "custom",
}


class ExampleArrays(NamedTuple):
    """Predictions `(n, ...)`, targets `(n, ...)` and further arrays of n examples."""

    predictions: Array
    targets: Array
    fields: Mapping[str, Array]


def read(path: Path) -> dict[str, Array]:
    """Returns the arrays of an npz file by name. Raises UserError if it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:
        raise UserError(
            f"cannot read the example `{path}`: {error}",
            hint="write one with numpy.savez(path, predictions=..., targets=...)",
        ) from error


def assigned(
    arrays: Mapping[str, Array], first_two: tuple[str, ...], further: tuple[str, ...]
) -> ExampleArrays:
    """Returns the arrays by role; `first_two` are the names of predictions and targets.

    The names `predictions` and `targets` are accepted for every function. Raises UserError if one
    of both is missing, an array is not named like an argument, or the numbers of examples differ.
    """
    roles = {"predictions": "predictions", "targets": "targets"}
    roles |= dict(zip(first_two, ("predictions", "targets"), strict=False))
    by_role: dict[str, Array] = {}
    for name, array in arrays.items():
        role = roles.get(name, name)
        if role not in ("predictions", "targets", *further):
            known = [*roles, *further]
            raise UserError(
                f"the example has an array `{name}`, which is not an argument of the loss",
                hint=nearest(name, known) or f"its arguments are {', '.join(known)}",
            )
        by_role[role] = np.asarray(array)
    for role, name in zip(("predictions", "targets"), first_two or roles, strict=False):
        if role not in by_role:
            raise UserError(
                f"the example has no array `{name}`, found {', '.join(arrays) or 'none'}",
                hint=f"name the {role} `{name}` or `{role}`",
            )
    counts = {name: array.shape[:1] for name, array in by_role.items()}
    if len(set(counts.values())) > 1 or not by_role["predictions"].shape:
        sizes = ", ".join(f"{name} {array.shape}" for name, array in by_role.items())
        raise UserError(
            f"the arrays of the example differ in their first axis: {sizes}",
            hint="the first axis is that of the examples in all of them",
        )
    predictions, targets = by_role.pop("predictions"), by_role.pop("targets")
    return ExampleArrays(predictions.astype(np.float64), _plain(targets), by_role)


def _plain(targets: Array) -> Array:
    is_integer = targets.dtype.kind in "iub"
    return targets.astype(np.int32) if is_integer else targets.astype(np.float64)


def task_examples(arrays: ExampleArrays, task: str | None) -> tuple[str, list[TaskExamples]]:
    """Returns the task, which the arrays suggest if it is None, and ways to draw its examples.

    Labels of classes are tried one-hot first, as in training.
    """
    goal, form = _goal(arrays, task)
    ways = [_way(arrays, task or _USUAL[goal], goal, form)]
    if form == "labels":
        onehot = np.eye(arrays.predictions.shape[-1])[arrays.targets]
        coded = arrays._replace(targets=onehot)
        ways.insert(0, _way(coded, task or _USUAL[goal], goal, "onehot"))
    return task or _USUAL[goal], ways


def _way(arrays: ExampleArrays, task: str, goal: Goal, form: str) -> TaskExamples:
    entries = EXAMPLES.get(task, ())
    aim = entries[0].aim if entries else "none"

    def example_domain(name: str, shape: tuple[int, ...]) -> Domain:
        return _around(arrays.predictions, shape) if name == "real" else domain(name, shape, False)

    def drawn(layout: Layout) -> list[Target]:
        return _targets(arrays, goal, layout)

    def drawn_at_random(rng: np.random.Generator, layout: Layout) -> Target:
        rows = rng.integers(len(arrays.targets), size=layout.shape[0])
        fields = {name: array[rows] for name, array in arrays.fields.items()}
        values = arrays.targets[rows]
        return Target("random targets", values, values, fields)

    return TaskExamples(
        goal=goal,
        shape=lambda outputs: arrays.predictions.shape[1:],
        targets=drawn,
        random=drawn_at_random,
        aim=aim,
        rows=min(len(arrays.targets), ROWS if goal != "free" else 2 * ROWS),
        form=form,
        fields=tuple(arrays.fields),
        example_domain=None if goal == "numbers" else example_domain,
    )


def _goal(arrays: ExampleArrays, task: str | None) -> tuple[Goal, str]:
    """Returns what right predictions are, and the form of the targets."""
    predictions, targets = arrays.predictions, arrays.targets
    goals = {entry.goal for entry in EXAMPLES[task]} if task and task in EXAMPLES else {*_USUAL}
    alike = predictions.shape == targets.shape
    labels = targets.dtype.kind == "i" and targets.shape == predictions.shape[:-1]
    if "classes" in goals and labels and predictions.ndim > 1:
        return "classes", "labels"
    if not alike:
        return "free", "auto"
    binary = bool(np.isin(targets, (0, 1)).all())
    if "classes" in goals and targets.ndim > 1 and np.allclose(targets.sum(-1), 1):
        return "classes", "onehot"
    if "sides" in goals and (binary or np.isin(targets, (-1, 1)).all()):
        return "sides", "auto" if binary else "signed"
    return ("numbers", "auto") if "numbers" in goals else ("free", "auto")


def _targets(arrays: ExampleArrays, goal: Goal, layout: Layout) -> list[Target]:
    """Returns up to four different targets, or up to three batches of consecutive examples."""
    rows, count = layout.shape[0], len(arrays.targets)
    if rows == 1:
        flat = arrays.targets.reshape(count, -1)
        first = np.sort(np.unique(flat, axis=0, return_index=True)[1])[:DISTINCT]
        starts = [int(start) for start in first]
    else:
        starts = list(range(0, count - rows + 1, rows))[: DISTINCT - 1]
    targets = []
    for start in starts:
        part = slice(start, start + rows)
        value = arrays.targets[part]
        name = f"example {start}" if rows == 1 else f"examples {start} to {start + rows - 1}"
        fields = {key: np.asarray(array[part]) for key, array in arrays.fields.items()}
        targets.append(Target(name, value, _away(goal, value, layout.shape), fields))
    return targets


def _away(goal: Goal, value: Array, shape: tuple[int, ...]) -> Array:
    if goal == "sides":
        return np.where(value > 0, -1.0, 1.0)
    if goal == "classes":
        labels = value if value.shape == shape[:-1] else value.argmax(-1)
        known = np.clip(labels, 0, shape[-1] - 1)
        return np.where(np.eye(shape[-1])[known] == 1, -1.0, 1.0)
    return np.ones(shape)


def _around(predictions: Array, shape: tuple[int, ...]) -> Domain:
    """Returns the reals, with plausible predictions around those of the example."""
    width = max(PLAUSIBLE, _SPREADS * float(np.std(predictions)))

    def within(distance: float) -> Draw:
        def draw(rng: np.random.Generator, count: int, target: Target) -> Array:
            chosen = predictions[rng.integers(len(predictions), size=(count, shape[0]))]
            return chosen + rng.uniform(-distance, distance, (count, *shape))

        return draw

    return Domain("real", -np.inf, np.inf, within(width), within(3 * width), (0.0,))
