"""Builds the subject of a loss: its task, argument order and form of targets."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.calls import CALLS, loss_of, result_note, with_targets
from landscape.audit.measure.example_arrays import assigned, task_examples
from landscape.audit.measure.heads import HEADS, MANIFOLDS
from landscape.audit.measure.mixing import ROWS
from landscape.audit.measure.parameter_subject import parameter_subject
from landscape.audit.measure.signature import (
    FIELDS,
    argument_names,
    check_choice,
    further_arguments,
    infer_domain,
    infer_task,
)
from landscape.audit.measure.subject import Subject, SubjectOptions
from landscape.audit.measure.target_cases import with_cases
from landscape.audit.measure.task_examples import CLASSES, EXAMPLES, TaskExamples, of_torch
from landscape.audit.measure.task_loss import TaskLoss, for_last_axis
from landscape.errors import UserError
from landscape.interop.libraries import library_of
from landscape.numerics.compiling import jit_once
from landscape.numerics.loss_arguments import loss_arguments

Array = Any
DISTANCES = (0.01, 10.0)  # a small and a large prediction on the positive numbers
RIGHT_LOGIT = 4.0
ZERO, MOST = 0.1, 4.0  # the least and the largest target of a loss that takes no negative ones


def loss_subject(function: Callable, options: SubjectOptions) -> Subject:
    """Returns the subject of a loss, with a note for each setting that was inferred.

    Raises UserError if the loss cannot be audited.
    """
    notes: list[str] = []
    check_choice(options.call, CALLS, "call")
    if options.call == "params-batch":
        return parameter_subject(function, options)
    options = _through_manifold(options, notes)
    targets_first = False
    if options.call == "predictions-targets":
        known = (*FIELDS, *(options.example or ()))
        targets_first = loss_arguments(function, order=options.order, options=known).targets_first
    call = with_targets(function, options.call, targets_first=targets_first)

    def ordered(predictions: Array, targets: Any) -> Array:
        return loss_of(call(predictions, targets), options.result, function)

    def batched(predictions: Array, targets: Any) -> Array:
        head = options.head
        return ordered(predictions if head is None else HEADS[head](predictions), targets)

    if targets_first and options.order == "auto":
        notes.append("it takes the target first, by the names of its arguments (--order decides)")
    task, candidates, fields = _examples(function, options, ordered, targets_first, notes)
    domain = options.domain
    if domain is None:
        domain = infer_domain(function, task) if options.head is None else "real"
        if domain != "real":
            notes.append("predictions are probabilities: from_logits is False (--domain decides)")
    loss = TaskLoss(function, batched, options, task, domain, fields)
    if task == "segmentation" and options.outputs is None and options.example is None:
        candidates = _with_classes(loss, candidates, notes)
    subject = _with_fitting_examples(loss, candidates, notes)
    if subject.goal == "numbers" and domain == "real" and options.target_range is None:
        subject = _nonnegative(loss, subject)
    if task == "binary" and options.form == "auto" and options.example is None:
        subject = _signed_if_needed(loss, subject, candidates[0])
    if task == "binary" and domain == "positive":
        subject = _as_distance(subject)
    drawn = for_last_axis(call, subject.class_axis)
    returned = jax.eval_shape(drawn, jnp.zeros(subject.shape), subject.targets[0].cast(np.float32))
    note = result_note(returned, options.result)
    subject = replace(subject, notes=(*subject.notes, *([note] if note else [])))
    return with_cases(subject)


def _through_manifold(options: SubjectOptions, notes: list[str]) -> SubjectOptions:
    """Returns the options of a loss on log-probabilities or a sphere, as one after a head."""
    head = MANIFOLDS.get(options.domain or "")
    if head is None:
        return options
    if options.head is not None:
        raise UserError(
            f"the domain {options.domain} is the result of {head}, found --head {options.head}",
            hint="leave out --head, or --domain",
        )
    notes.append(f"predictions are the results of {head}; numbers refer to its inputs")
    return options._replace(domain=None, head=head)


def _examples(
    function: Callable,
    options: SubjectOptions,
    ordered: Callable,
    targets_first: bool,
    notes: list[str],
) -> tuple[str, list[TaskExamples], tuple[str, ...]]:
    """Returns the task, the ways to draw its examples, and the fields that the loss takes."""
    skipped = 3 if options.call == "model-inputs-targets" else 2
    further = further_arguments(function, skipped)
    if options.example is not None:
        first_two = argument_names(function)[skipped - 2 : skipped]
        roles = first_two[::-1] if targets_first else first_two
        arrays = assigned(options.example, tuple(roles), tuple(further))
        task, ways = task_examples(arrays, options.task)
        notes.append(f"judged on the {len(arrays.targets)} examples given, as a {task} loss")
        return task, ways, tuple(arrays.fields)
    if options.task is None:
        task, reason = infer_task(function, ordered)
        notes.append(f"taken as a {task} loss: {reason} (--task decides)")
    else:
        task = options.task
    if task == "custom":
        raise UserError(
            "the shapes of a custom loss are unknown",
            hint="pass arrays with `--example FILE.npz`, or an experiment with `--data CONFIG`",
        )
    check_choice(task, tuple(EXAMPLES), "task")
    candidates = _candidates(function, task, options)
    usual = {field for examples in candidates for field in examples.fields}
    fields = [f for f, required in further.items() if f in FIELDS and (required or f in usual)]
    return task, candidates, tuple(fields)


def _ways(function: Callable, task: str) -> list[TaskExamples]:
    """Returns the ways to draw examples of a task for a loss of its library."""
    ways = list(EXAMPLES[task])
    return of_torch(task, ways) if library_of(function) == "PyTorch" else ways


def _candidates(function: Callable, task: str, options: SubjectOptions) -> list[TaskExamples]:
    """Returns the ways to draw examples of a task that the options admit."""
    candidates = _ways(function, task)
    if task == "segmentation":
        several = (options.outputs or 1) > 1
        candidates = [c for c in candidates if (c.goal == "classes") == several]
    if options.form in ("onehot", "labels"):
        candidates = [c for c in candidates if c.form in ("auto", options.form)] or candidates
    return candidates


def _with_fitting_examples(
    loss: TaskLoss, candidates: list[TaskExamples], notes: list[str]
) -> Subject:
    """Returns the subject with the first way to draw examples that the loss accepts.

    One that is accepted but misleads the loss counts only if no other is accepted.
    """
    if loss.task == "regression" and loss.options.outputs is None and not loss.options.example:
        candidates = _with_vectors(loss, candidates[0], notes)
    errors: list[UserError] = []
    misled = []
    for candidate in candidates:
        try:
            subject = loss.subject(candidate)
        except UserError as error:
            errors.append(error)
            continue
        later = candidates[candidates.index(candidate) + 1 :]
        if any(map(loss.accepts, later)) and not _prefers_right(subject):
            misled.append(subject)
            continue
        if candidate.form == "labels" and candidate != candidates[0] and loss.task == "multiclass":
            reason = "it refuses one-hot targets" if errors else "it mispredicts on one-hot targets"
            notes.append(f"targets are integer labels: {reason} (--targets decides)")
        return replace(subject, notes=tuple(notes))
    if misled:
        return replace(misled[0], notes=tuple(notes))
    raise errors[0]


def _with_classes(
    loss: TaskLoss, masks: list[TaskExamples], notes: list[str]
) -> list[TaskExamples]:
    """Returns the examples of a segmentation loss: of several classes if it refuses masks."""
    classes = [way for way in _ways(loss.function, "segmentation") if way.goal == "classes"]
    is_torch = library_of(loss.function) == "PyTorch"
    accepted = [way for way in masks if loss.accepts(way)]
    if is_torch and accepted and any(loss.accepts(way) for way in classes if way.form == "labels"):
        # F.cross_entropy takes a mask for shares of classes.
        accepted = [way for way in accepted if _prefers_right(loss.subject(way))]
    fitting = None if accepted else next(filter(loss.accepts, classes), None)
    if fitting is None:
        return masks
    axis = ", in the second axis of the predictions" if fitting.class_axis == "second" else ""
    notes.append(f"it refuses masks: {fitting.outputs} classes of pixels{axis} (--outputs decides)")
    return classes


def _with_vectors(loss: TaskLoss, number: TaskExamples, notes: list[str]) -> list[TaskExamples]:
    """Returns the examples of a regression loss: of several outputs if it reduces their axis.

    The last axis of one output per example would be that of the batch.
    """
    vector = number._replace(outputs=CLASSES)
    alone, together = loss.result_shape(number, ROWS), loss.result_shape(vector, ROWS)
    if together == (ROWS,) and alone in (None, ()):
        notes.append(f"it reduces the last axis: {CLASSES} outputs (--outputs decides)")
        return [vector]
    return [number]


def _nonnegative(loss: TaskLoss, subject: Subject) -> Subject:
    """Returns the subject with targets of 0 and above if all others give NaN."""
    x = np.linspace(-3.0, 3.0, 7, dtype=np.float32)
    points = np.broadcast_to(x.reshape(-1, *(1,) * len(subject.shape)), (7, *subject.shape))
    cost = jit_once(jax.vmap(jax.value_and_grad(subject.row), (0, None)))

    def fails(value: float) -> bool:
        target = subject.targets[0]._replace(value=np.full(subject.shape, value))
        costs, slopes = cost(points, target.cast(np.float32))
        return not np.any(np.isfinite(costs) & np.isfinite(slopes).reshape(len(x), -1).all(1))

    if loss.options.example is not None or not fails(-2.0) or fails(1.5):
        return subject
    low = ZERO if fails(0.0) else 0.0
    note = f"targets are {low:g} and above: all others give NaN (--target-range decides)"
    options = loss.options._replace(target_range=(low, MOST))
    examples = next(iter(EXAMPLES["regression"]))._replace(outputs=subject.size // subject.rows)
    limited = replace(loss, options=options).subject(examples)
    return replace(limited, notes=(*subject.notes, note))


def _as_distance(subject: Subject) -> Subject:
    """Returns the subject with label 1 at small predictions if both labels cost least that way."""
    high, low = (t for t in subject.targets if not np.ptp(t.value))
    points = jnp.stack([jnp.full(subject.shape, v, jnp.float32) for v in DISTANCES])
    cost = jit_once(jax.vmap(subject.row, (0, None)))
    near, far = (np.asarray(cost(points, t.cast(np.float32))) for t in (high, low))
    if not (near[0] < near[1] and far[1] < far[0]):
        return subject
    targets = [target._replace(away=-target.away) for target in subject.targets]
    note = "label 1 points to small predictions, as for distances, and label 0 to large ones"
    return replace(subject, targets=targets, notes=(*subject.notes, note))


def _prefers_right(subject: Subject) -> bool:
    """Whether right predictions cost less than those of any other class, for every target."""
    if subject.rows > 1 or subject.goal == "free":
        return True
    low, high = (0.0, RIGHT_LOGIT) if subject.domain.name == "real" else (0.1, 0.9)
    cost = jit_once(jax.vmap(subject.row, (0, None)))
    for target in subject.targets:
        right = np.broadcast_to(target.away < 0, subject.shape)
        if subject.goal == "classes":
            others = [np.roll(right, shift, axis=-1) for shift in range(1, subject.shape[-1])]
        else:
            others = [np.broadcast_to(t.away < 0, subject.shape) for t in subject.targets]
            others = [other for other in others if np.any(other != right)]
        chosen = np.stack([right, *others])
        points = np.where(chosen, high, low if subject.goal == "classes" else -high)
        if subject.domain.name == "simplex":
            points = points / points.sum(-1, keepdims=True)
        values = np.asarray(cost(points.astype(np.float32), target.cast(np.float32)))
        if not np.all(values[1:] > values[0]):
            return False
    return True


def _signed_if_needed(loss: TaskLoss, subject: Subject, examples: TaskExamples) -> Subject:
    """Returns the subject with targets -1 and 1 if the loss is constant for 0 but not for -1."""
    x = jnp.linspace(-3.0, 3.0, 7, dtype=jnp.float32)
    rows = jit_once(jax.vmap(lambda v, t: subject.row(jnp.full(subject.shape, v), t), (0, None)))
    values = {}
    for t in (-1.0, 0.0, 1.0):
        target = subject.targets[0]._replace(value=np.full(subject.shape, t))
        values[t] = np.asarray(rows(x, target.cast(np.float32)))
    varies = {t: np.ptp(row) > 0 for t, row in values.items()}
    mirrored = np.allclose(values[-1.0], values[1.0][::-1], rtol=1e-4, atol=1e-5)
    if varies[0.0] or not (varies[1.0] and mirrored):
        return subject
    note = "targets are -1 and 1: for the target 0 it is constant (--targets decides)"
    signed = loss.subject(examples._replace(form="signed"))
    return replace(signed, notes=(*subject.notes, note))
