"""Builds the subject of a loss: its task, argument order and form of targets."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure import domains
from landscape.audit.measure.domains import batch, example_shape
from landscape.audit.measure.mixing import ROWS, mixes_examples
from landscape.audit.measure.signature import (
    check_choice,
    check_loss_shape,
    check_real,
    infer_domain,
    infer_task,
)
from landscape.audit.measure.subject import Subject, SubjectOptions, checked, row_of
from landscape.errors import UserError
from landscape.numerics.compiling import jit_once
from landscape.numerics.loss_arguments import loss_arguments
from landscape.numerics.user_calls import guarded
from landscape.parts import tasks

Array = Any
TASKS = tuple(name for name in tasks.ALL if tasks.named(name).audited)
HEADS = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax}
DISTANCES = (0.01, 10.0)  # a small and a large prediction on the positive numbers
_MIXED_ROWS = 4  # examples in the subject of a loss that mixes the examples of a batch


@dataclass(frozen=True)
class _Loss:
    """A loss with its task and domain; only the form of its targets is not settled.

    `batched(predictions, targets)` is `function` after the head, with its arguments in this order.
    """

    function: Callable
    batched: Callable[[Array, Array], Array]
    options: SubjectOptions
    task: str
    domain: str

    def batch(self, form: str, rows: int) -> tuple[Array, Array]:
        """Returns random predictions and targets of a batch."""
        return batch(self.task, form, self.domain, rows, self.options.outputs)

    def accepts(self, form: str) -> bool:
        """Whether the loss accepts targets of this form."""
        with contextlib.suppress(Exception):
            jax.eval_shape(self.batched, *self.batch(form, ROWS))
            return True
        return False

    def subject(self, form: str, rows: int) -> Subject:
        """Returns the subject of `rows` examples with targets of this form."""
        shape = example_shape(self.task, rows, self.options.outputs)
        return checked(
            Subject(
                name=self.options.name,
                kind="loss",
                task=self.task,
                form=form,
                head=self.options.head,
                aim=self.options.aim,
                domain=domains.domain(self.domain, shape, centered=self.task == "regression"),
                shape=shape,
                targets=domains.targets(self.task, form, shape, self.domain),
                row=row_of(self.batched),
                batched=self.batched,
                function=self.function,
            )
        )


def loss_subject(function: Callable, options: SubjectOptions) -> Subject:
    """Returns the subject of a loss, with a note for each setting that was inferred.

    Raises UserError if the loss cannot be audited.
    """
    notes: list[str] = []
    task, domain, head, form = options.task, options.domain, options.head, options.form
    arguments = loss_arguments(function, order=options.order)

    def ordered(predictions: Array, targets: Array) -> Array:
        return function(*arguments.ordered(predictions, targets))

    def batched(predictions: Array, targets: Array) -> Array:
        return ordered(predictions if head is None else HEADS[head](predictions), targets)

    if arguments.targets_first and options.order == "auto":
        notes.append("it takes the target first, by the names of its arguments (--order decides)")
    if task is None:
        task, reason = infer_task(function, ordered)
        notes.append(f"taken as a {task} loss: {reason} (--task decides)")
    check_choice(task, TASKS, "task")
    if domain is None:
        domain = infer_domain(function, task) if head is None else "real"
        if domain != "real":
            notes.append("predictions are probabilities: from_logits is False (--domain decides)")
    loss = _Loss(function, batched, options, task, domain)
    subject = _with_accepted_form(loss, form, notes)
    if task == "binary" and form == "auto":
        subject = _signed_if_needed(loss, subject)
    return _as_distance(subject) if task == "binary" and domain == "positive" else subject


def _as_distance(subject: Subject) -> Subject:
    """Returns the subject with label 1 at small predictions if both labels cost least that way."""
    high, low = (t for t in subject.targets if not np.ptp(t.value))
    points = jnp.stack([jnp.full(subject.shape, v, jnp.float32) for v in DISTANCES])
    cost = jit_once(jax.vmap(subject.row, (0, None)))
    near, far = (np.asarray(cost(points, jnp.asarray(t.cast(np.float32)))) for t in (high, low))
    if not (near[0] < near[1] and far[1] < far[0]):
        return subject
    targets = [target._replace(away=-target.away) for target in subject.targets]
    note = "label 1 points to small predictions, as for distances, and label 0 to large ones"
    return replace(subject, targets=targets, notes=(*subject.notes, note))


def _with_accepted_form(loss: _Loss, form: str, notes: list[str]) -> Subject:
    """Returns the subject with the first form of targets that the loss accepts.

    One-hot targets that are accepted but mislead the loss count only if it refuses labels.
    """
    forms = ["onehot", "labels"] if loss.task == "multiclass" and form == "auto" else [form]
    errors, misled = [], []
    for candidate in forms:
        try:
            subject = loss.subject(candidate, _count_rows(loss, candidate))
        except UserError as error:
            errors.append(error)
            continue
        is_last = candidate == forms[-1]
        if not is_last and loss.accepts(forms[-1]) and not _prefers_true_class(subject):
            misled.append(subject)
            continue
        if candidate == "labels" and form == "auto":
            reason = "it refuses one-hot targets" if errors else "it mispredicts on one-hot targets"
            notes.append(f"targets are integer labels: {reason} (--targets decides)")
        return replace(subject, notes=tuple(notes))
    if misled:
        return replace(misled[0], notes=tuple(notes))
    raise errors[0]


def _prefers_true_class(subject: Subject) -> bool:
    """Whether the true class costs less than any other one, for every target."""
    if subject.rows > 1:
        return True
    count = subject.shape[-1]
    high, low = (0.9, 0.1 / (count - 1)) if subject.domain.name != "real" else (4.0, 0.0)
    classes = jnp.where(jnp.eye(count, dtype=bool), high, low).astype(jnp.float32)
    rows = jnp.stack([jnp.broadcast_to(c, subject.shape) for c in classes])
    cost = jit_once(jax.vmap(subject.row, (0, None)))
    for number, target in enumerate(subject.targets):
        values = np.asarray(cost(rows, jnp.asarray(target.cast(np.float32))))
        if not np.all(np.delete(values, number) > values[number]):
            return False
    return True


def _count_rows(loss: _Loss, form: str) -> int:
    """Returns the number of examples of a subject: 1, or more if the loss mixes examples.

    Raises UserError if the loss returns no array of an expected shape.
    """
    label = f"loss `{loss.options.name}`"
    arrays = loss.batch(form, ROWS)
    program = guarded(lambda: jax.make_jaxpr(loss.batched)(*arrays), label, loss.function)
    out = guarded(lambda: jax.eval_shape(loss.batched, *arrays), label, loss.function)
    check_real(out, label, loss.function)
    check_loss_shape(out, arrays[0].shape, label, loss.function)
    is_mixing = mixes_examples(program, loss.batched, lambda rows: loss.batch(form, rows))
    return _MIXED_ROWS if is_mixing else 1


def _signed_if_needed(loss: _Loss, subject: Subject) -> Subject:
    """Returns the subject with targets -1 and 1 if the loss is constant for 0 but not for -1."""
    x = jnp.linspace(-3.0, 3.0, 7, dtype=jnp.float32)
    rows = jit_once(jax.vmap(lambda v, t: subject.row(jnp.full(subject.shape, v), t), (0, None)))
    values = {
        t: np.asarray(rows(x, jnp.full(subject.shape, t, jnp.float32))) for t in (-1.0, 0.0, 1.0)
    }
    varies = {t: np.ptp(row) > 0 for t, row in values.items()}
    mirrored = np.allclose(values[-1.0], values[1.0][::-1], rtol=1e-4, atol=1e-5)
    if varies[0.0] or not (varies[1.0] and mirrored):
        return subject
    note = "targets are -1 and 1: for the target 0 it is constant (--targets decides)"
    return replace(loss.subject("signed", subject.rows), notes=(*subject.notes, note))
