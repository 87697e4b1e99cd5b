"""How the audit draws predictions and targets of each task: shapes, typical and critical targets.

`EXAMPLES` has an entry for every task. Entries of one task that differ in form or shape are tried
in order, and the first that fits the loss is audited.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from landscape.audit.measure import task_targets as targets_of
from landscape.audit.measure.domains import Domain, Target, boxes, domain
from landscape.audit.measure.task_targets import EVENTS, Layout
from landscape.numerics.class_axis import ClassAxis

Array = np.ndarray
Goal = Literal["numbers", "sides", "classes", "order", "free"]
CLASSES, MASK, TIME = 4, (3, 4), 2  # of examples, unless the options state the number of outputs
ROWS, RANKED_ROWS = 4, 6  # of a batch that is audited together
HEAD_OUTPUTS = (2, 6, 3, 5, 9)  # of a distribution: moments, mixtures and quantiles
WEIGHTS = (1.0, 0.5, 2.0)


class TaskExamples(NamedTuple):
    """One way to draw the examples of a task.

    `goal`: what right predictions are: `numbers` (the targets), `sides` (the sides of a middle),
    `classes` (the largest of the last axis), `order` (in the order of the targets), or `free` (not
    stated by a target alone).
    `shape(outputs)` is that of one prediction, with `outputs` by default; `targets(layout)` are the
    audited ones, `random(rng, layout)` those of a random batch. `aim` if it is known; `rows`
    are audited together if the loss mixes them; `form` of the targets; `fields` are further arrays
    that a loss of the task may take. `example_domain(name, shape)`: if predictions are not drawn as
    numbers of their own. `class_axis`: where a loss expects the classes, `last` or `second`.
    """

    goal: Goal
    shape: Callable[[int], tuple[int, ...]]
    targets: Callable[[Layout], list[Target]]
    random: Callable[[np.random.Generator, Layout], Target]
    outputs: int = 1
    aim: str | None = None
    rows: int = ROWS
    form: str = "auto"
    fields: tuple[str, ...] = ()
    example_domain: Callable[[str, tuple[int, ...]], Domain] | None = None
    class_axis: ClassAxis = "last"

    def domain(self, name: str, shape: tuple[int, ...]) -> Domain:
        """Returns the domain of predictions of a shape, `(rows, ...)`."""
        if self.example_domain is not None:
            return self.example_domain(name, shape)
        return domain(name, shape, centered=self.goal == "numbers")


def _flat(outputs: int) -> tuple[int, ...]:
    return () if outputs == 1 else (outputs,)


def _embeddings(name: str, shape: tuple[int, ...]) -> Domain:
    """Returns a domain without the embedding 0, which has no direction."""
    return domain(name, shape, centered=False)._replace(fills=(1.0,))


def _vector(outputs: int) -> tuple[int, ...]:
    return (outputs,)


_MULTICLASS = TaskExamples(
    "classes", _vector, targets_of.class_targets, targets_of.random_classes, CLASSES
)
_PIXELS = _MULTICLASS._replace(shape=lambda outputs: (2, 2, outputs))
_TOKENS = _MULTICLASS._replace(shape=lambda outputs: (TIME, outputs), fields=("mask",))
_THRESHOLDS = TaskExamples(
    "sides",
    lambda k: (k - 1,),
    targets_of.threshold_targets,
    targets_of.random_thresholds,
    CLASSES,
    form="labels",
)
_BINARY = TaskExamples("sides", _flat, targets_of.side_targets, targets_of.random_sides)
_RANKED = TaskExamples(
    "order",
    _flat,
    targets_of.relevance_targets,
    targets_of.random_relevances,
    aim="order",
    rows=RANKED_ROWS,
)
_HEAD = TaskExamples(
    "free", _vector, targets_of.scalar_targets, targets_of.random_scalars, aim="none"
)
EXAMPLES: Mapping[str, tuple[TaskExamples, ...]] = {
    "regression": (
        TaskExamples("numbers", _flat, targets_of.number_targets, targets_of.random_numbers),
    ),
    "distribution": tuple(_HEAD._replace(outputs=count) for count in HEAD_OUTPUTS),
    "binary": (_BINARY,),
    "multiclass": (_MULTICLASS._replace(form="onehot"), _MULTICLASS._replace(form="labels")),
    "ordinal": (
        _THRESHOLDS,
        _MULTICLASS._replace(form="labels"),
        _MULTICLASS._replace(form="onehot"),
    ),
    "multilabel": (
        _BINARY._replace(shape=_vector, targets=targets_of.multilabel_targets, outputs=CLASSES),
    ),
    "segmentation": (
        TaskExamples(
            "sides", lambda outputs: MASK, targets_of.mask_targets, targets_of.random_sides
        ),
        _PIXELS._replace(form="labels"),
        _PIXELS._replace(form="onehot"),
    ),
    "boxes": (
        TaskExamples(
            "numbers",
            lambda outputs: (4,),
            targets_of.box_targets,
            targets_of.random_boxes,
            example_domain=lambda name, shape: boxes(shape),
        ),
    ),
    "embedding": (
        TaskExamples(
            "free",
            _vector,
            targets_of.identity_targets,
            targets_of.random_identities,
            outputs=CLASSES,
            aim="none",
            example_domain=_embeddings,
        ),
    ),
    "ranking": (_RANKED._replace(fields=("groups",)),),
    "survival": (
        _RANKED._replace(
            targets=targets_of.survival_targets, random=targets_of.random_times, fields=("events",)
        ),
    ),
    "sequence": (_TOKENS._replace(form="labels"), _TOKENS._replace(form="onehot")),
}


def of_torch(task: str, candidates: Sequence[TaskExamples]) -> list[TaskExamples]:
    """Returns the ways to draw examples for a loss of PyTorch.

    Losses of images have the classes in the second axis, as torch has; those of sequences often
    join the places first, and have them in the last one.
    """
    second = [
        candidate._replace(class_axis="second")
        for candidate in candidates
        if candidate.goal == "classes" and len(candidate.shape(CLASSES)) > 1
    ]
    return [*second, *candidates] if task == "segmentation" else [*candidates, *second]


def field_values(name: str, shape: tuple[int, ...], places: tuple[int, ...]) -> Array:
    """Returns the values of a field for predictions `(rows, ...)` whose targets are `places`."""
    rows = shape[0]
    if name == "weights":
        return np.resize(WEIGHTS, rows)
    if name == "groups":
        return (np.arange(rows) * 2 // rows).astype(np.int32)
    if name == "events":
        return np.resize(EVENTS, rows)
    return np.ones((rows, *places))
