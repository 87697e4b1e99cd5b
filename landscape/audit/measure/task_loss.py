"""A loss with the examples of its task: random batches, audited targets, and the subject."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from landscape.audit.measure.domains import Arguments, Target
from landscape.audit.measure.mixing import ROWS, mixes_examples
from landscape.audit.measure.signature import check_loss_shape, check_real
from landscape.audit.measure.subject import Subject, SubjectOptions, checked, row_of
from landscape.audit.measure.task_examples import TaskExamples, field_values
from landscape.audit.measure.task_targets import Layout, all_classes
from landscape.interop.libraries import called_in_torch, note_targets
from landscape.numerics import class_axis
from landscape.numerics.user_calls import guarded

Array = Any


def for_last_axis(
    function: Callable[[Array, Any], Any], axis: class_axis.ClassAxis
) -> Callable[[Array, Any], Any]:
    """Returns the function of predictions and targets with the classes in the last axis.

    `axis` is where `function` expects them.
    """
    if axis == "last":
        return function

    def moved(predictions: Array, targets: Any) -> Any:
        values, fields = targets if isinstance(targets, Arguments) else (targets, None)
        predictions, values = class_axis.second_axis(predictions, values)
        result = function(predictions, values if fields is None else Arguments(values, fields))
        return class_axis.last_axis(result, predictions)

    return moved


@dataclass(frozen=True)
class TaskLoss:
    """A loss with its task, domain and fields; how its examples are drawn is not settled.

    `batched(predictions, targets)` is `function` after the head, with its arguments in this order.
    """

    function: Callable
    batched: Callable[[Array, Any], Array]
    options: SubjectOptions
    task: str
    domain: str
    fields: tuple[str, ...]

    def call(self, examples: TaskExamples) -> Callable[[Array, Any], Array]:
        """Returns `batched` for predictions that are drawn with the classes in the last axis."""
        return for_last_axis(self.batched, examples.class_axis)

    def layout(self, examples: TaskExamples, rows: int) -> Layout:
        """Returns the layout of the predictions of `rows` examples."""
        shape = (rows, *examples.shape(self.options.outputs or examples.outputs))
        form = self.options.form if examples.form == "auto" else examples.form
        return Layout(shape, form, self.domain, self.options.target_range)

    def batch(self, examples: TaskExamples, rows: int) -> tuple[Array, Any]:
        """Returns random predictions and targets of a batch, in float32."""
        rng, layout = np.random.default_rng(11), self.layout(examples, rows)
        predictions = rng.normal(size=layout.shape)
        if self.domain != "real":
            predictions = rng.uniform(0.05, 0.95, layout.shape)
            if self.domain == "simplex" and len(layout.shape) > 1:
                predictions = predictions / predictions.sum(-1, keepdims=True)
        target = self._with_fields(examples.random(rng, layout), layout)
        return predictions.astype(np.float32), target.cast(np.float32)

    def targets(self, examples: TaskExamples, layout: Layout) -> list[Target]:
        """Returns the audited targets, with the fields that the loss takes."""
        targets = [self._with_fields(target, layout) for target in examples.targets(layout)]
        if np.size(targets[0].fields.get("mask", 1)) == 1:
            return targets
        return [*targets, _masked(targets[0])]

    def _with_fields(self, target: Target, layout: Layout) -> Target:
        fields = {}
        for name in self.fields:
            value = target.fields.get(name)
            if value is None:
                value = field_values(name, layout.shape, np.shape(target.value)[1:])
            fields[name] = value
        return target._replace(fields=fields)

    def accepts(self, examples: TaskExamples) -> bool:
        """Whether the loss accepts examples that are drawn like this."""
        return self.result_shape(examples, ROWS) is not None

    def result_shape(self, examples: TaskExamples, rows: int) -> tuple[int, ...] | None:
        """Returns the shape of the result for a batch; None if the loss refuses it."""
        with contextlib.suppress(Exception):
            return jax.eval_shape(self.call(examples), *self.batch(examples, rows)).shape
        return None

    def subject(self, examples: TaskExamples) -> Subject:
        """Returns the subject of examples that are drawn like this."""
        batched = self.call(examples)
        layout = self.layout(examples, self._count_rows(examples))
        if examples.goal == "order" and len(layout.shape) > 1:  # a head of a distribution
            examples = examples._replace(goal="free", aim="none")
        targets = self.targets(examples, layout)
        also = examples.goal == "classes" and layout.shape[0] > 1  # for `other_assignment`
        for target in [*targets, *([all_classes(layout.shape, layout.form)] if also else [])]:
            predictions = np.zeros(layout.shape, np.float32)
            note_targets(self.function, batched, predictions, target.cast(np.float32))
        return checked(
            Subject(
                name=self.options.name,
                kind="loss",
                task=self.task,
                goal=examples.goal,
                class_axis=examples.class_axis,
                form=layout.form,
                head=self.options.head,
                aim=self.options.aim,
                usual_aim=examples.aim,
                target_range=self.options.target_range,
                domain=examples.domain(self.domain, layout.shape),
                shape=layout.shape,
                targets=targets,
                row=row_of(batched),
                batched=batched,
                function=self.function,
                draw=partial(self.batch, examples),
            )
        )

    def _count_rows(self, examples: TaskExamples) -> int:
        """Returns the number of examples of a subject: 1, or more if the loss mixes examples.

        Raises UserError if the loss returns no array of an expected shape.
        """
        label = f"loss `{self.options.name}`"
        arrays, batched = self.batch(examples, ROWS), self.call(examples)
        program = guarded(lambda: jax.make_jaxpr(batched)(*arrays), label, self.function)
        out = guarded(lambda: jax.eval_shape(batched, *arrays), label, self.function)
        check_real(out, label, self.function)
        check_loss_shape(out, arrays[0].shape, label, self.function)
        with called_in_torch(self.function):
            is_mixing = mixes_examples(program, batched, partial(self.batch, examples))
        return examples.rows if is_mixing else 1


def _masked(target: Target) -> Target:
    """Returns a target of which the last place is masked."""
    mask = np.array(target.fields["mask"])
    mask.flat[-1] = 0
    name = f"{target.name}, masked in part"
    return target._replace(name=name, fields={**target.fields, "mask": mask}, ignored=True)
