"""From a function of somebody's to what is audited: one example, its targets, its program."""

import contextlib
import inspect
import io
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure import domains as domains
from landscape.audit.measure.domains import CLASSES, Domain, Target, batch, example_shape
from landscape.audit.measure.signature import (
    check_output,
    check_plain,
    infer_domain,
    infer_task,
    inputs_of,
    name_of,
    read_order,
)
from landscape.audit.static.equations import equations
from landscape.audit.static.source import locate
from landscape.errors import Place, UserError, nearest
from landscape.numerics.compiling import jit_once
from landscape.numerics.user_calls import definition, guarded, last_user_line

Array = Any
KINDS = ("loss", "activation", "function")
TASKS = ("regression", "binary", "multiclass", "segmentation")
HEADS = {"sigmoid": jax.nn.sigmoid, "softmax": jax.nn.softmax}
FORMS = ("auto", "onehot", "labels", "signed", "zero_one")
_CALLBACKS = ("debug_callback", "debug_print", "io_callback")
FEATURES = 4
_FEW = 5  # not the number of classes, so that labels never broadcast against them


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One example as a function `row(x, target) -> scalar` with x of `shape`, and its programs.

    `batched(predictions, targets)` is the function as it was given, with its arguments in the order
    predictions, targets; `shape` starts with the number of rows, 1 unless a loss mixes them.
    """

    name: str
    kind: str
    domain: Domain
    shape: tuple[int, ...]
    targets: list[Target]
    row: Callable[[Array, Array], Array]
    batched: Callable[[Array, Array], Array]
    function: Callable
    task: str | None = None
    form: str = "auto"
    head: str | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def value(self) -> jex.ClosedJaxpr:
        """The program of the row, traced in float32."""
        return jax.make_jaxpr(lambda x, t: self.row(x, t))(*self._example())

    @cached_property
    def gradient(self) -> jex.ClosedJaxpr:
        """The program of value and gradient that autodiff makes, traced in float32."""
        both = jax.value_and_grad(self.row)
        return jax.make_jaxpr(lambda x, t: both(x, t))(*self._example())

    def _example(self) -> tuple[Array, Array]:
        target = self.targets[0].value
        given = target.astype(np.float32) if target.dtype.kind == "f" else target
        return jnp.zeros(self.shape, jnp.float32), jnp.asarray(given)

    @cached_property
    def place(self) -> Place | None:
        """Where the function is defined."""
        return definition(self.function)

    @property
    def label(self) -> str:
        """What it is called in a message."""
        return f"{self.kind} `{self.name}`"

    @property
    def rows(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def calls_back(self) -> bool:
        """Whether the compiled program prints or calls Python."""
        return any(eqn.primitive.name in _CALLBACKS for _, eqn, _ in equations(self.value))

    def replaced(self, batched: Callable[[Array, Array], Array]) -> "Subject":
        """The same question of another function of predictions and targets."""
        return _checked(replace(self, batched=batched, row=_row(batched)))


def build(
    function: Callable,
    *,
    kind: str,
    task: str | None,
    domain: str | None,
    head: str | None,
    order: str,
    form: str,
    outputs: int | None = None,
    name: str | None = None,
) -> Subject:
    """The subject of an audit. UserError where the function cannot be audited, with its line."""
    name = name or name_of(function)
    if inspect.isclass(function):
        raise UserError(
            f"`{name}` is a class, not a function",
            hint="name a function, or an instance of the class that can be called",
        )
    _check(kind, KINDS, "kind")
    _check(form, FORMS, "form of targets")
    if head is not None:
        _check(head, tuple(HEADS), "head")
    printed = _Printed()
    with contextlib.redirect_stdout(printed):
        if kind == "loss":
            made = _loss(function, task, domain, head, order, form, outputs or CLASSES, name)
        else:
            made = _plain(function, kind, domain or "real", name)
    return replace(made, notes=(*made.notes, *printed.notes(), *_callbacks(made)))


class _Printed(io.StringIO):
    """What somebody's function prints while it is traced, and where."""

    place: Place | None = None

    def write(self, text: str) -> int:
        if self.place is None and text.strip():
            self.place = last_user_line(traceback.extract_stack())
        return super().write(text)

    def notes(self) -> list[str]:
        text = self.getvalue().strip()
        if not text:
            return []
        at = f" at line {self.place.line}" if self.place else ""
        first = text.splitlines()[0][:40]
        return [f"it prints{at}, once for each trace and not for each call: {first!r}"]


def _callbacks(subject: Subject) -> list[str]:
    """A note for each print or callback that runs with the compiled program."""
    own = subject.place.file if subject.place else None
    found = []
    for _, eqn, around in equations(subject.value):
        if eqn.primitive.name in _CALLBACKS:
            where = locate(eqn, around, own)
            at = f" at line {where.line}" if where else ""
            found.append(f"it calls back to Python{at} ({eqn.primitive.name}) whenever it runs")
    return list(dict.fromkeys(found))


def _check(value: str, among: tuple[str, ...], what: str) -> None:
    if value not in among:
        raise UserError(f"there is no {what} `{value}`", hint=nearest(value, among))


def _loss(
    function: Callable,
    task: str | None,
    domain: str | None,
    head: str | None,
    order: str,
    form: str,
    classes: int,
    name: str,
) -> Subject:
    notes: list[str] = []
    targets_first = read_order(function, order)
    batched = _flipped(function) if targets_first else _plainly(function)
    if targets_first and order == "auto":
        notes.append("it takes the target first, by the names of its arguments (--order decides)")
    if task is None:
        task, why = infer_task(function, batched)
        notes.append(f"taken as a {task} loss: {why} (--task decides)")
    _check(task, TASKS, "task")
    if domain is None:
        domain = infer_domain(function, task) if head is None else "real"
        if domain != "real":
            notes.append("predictions are probabilities: from_logits is False (--domain decides)")
    if head is not None:
        batched = _through(batched, HEADS[head])
    rest = (function, name, task, domain, head, classes)
    subject = _fitting(batched, rest, form, notes)
    if task == "binary" and form == "auto":
        subject = _signed_if_needed(subject, batched, rest)
    return subject


def _plainly(function: Callable) -> Callable:
    return lambda predictions, targets: function(predictions, targets)


def _flipped(function: Callable) -> Callable:
    return lambda predictions, targets: function(targets, predictions)


def _through(loss: Callable, head: Callable) -> Callable:
    return lambda predictions, targets: loss(head(predictions), targets)


def _fitting(batched: Callable, rest: tuple, form: str, notes: list[str]) -> Subject:
    """The subject for the first form of targets that the loss accepts."""
    function, name, task, _, _, classes = rest
    forms = ["onehot", "labels"] if task == "multiclass" and form == "auto" else [form]
    errors, doubtful = [], []
    for candidate in forms:
        try:
            rows = _rows(batched, task, candidate, name, function, classes)
            subject = _made(batched, rest, candidate, rows)
        except UserError as error:
            errors.append(error)
            continue
        last = candidate == forms[-1]
        if not last and _accepts(batched, task, forms[-1], classes) and not _prefers_right(subject):
            doubtful.append(subject)
            continue
        if candidate == "labels" and form == "auto":
            refused = "it refuses one-hot targets" if errors else "one-hot targets mislead it"
            notes.append(f"targets are integer labels: {refused} (--targets decides)")
        return replace(subject, notes=tuple(notes))
    if doubtful:
        return replace(doubtful[0], notes=tuple(notes))
    raise errors[0]


def _accepts(batched: Callable, task: str, form: str, classes: int) -> bool:
    """Whether a loss takes targets of this form too."""
    with contextlib.suppress(Exception):
        jax.eval_shape(batched, *batch(task, form, "unit", _FEW, classes))
        return True
    return False


def _prefers_right(subject: Subject) -> bool:
    """Whether the right class costs less than any other one, for every target."""
    count = subject.shape[-1]
    high, low = (0.9, 0.1 / (count - 1)) if subject.domain.name != "real" else (4.0, 0.0)
    classes = jnp.where(jnp.eye(count, dtype=bool), high, low).astype(jnp.float32)
    rows = jnp.stack([jnp.broadcast_to(c, subject.shape) for c in classes])
    cost = jit_once(jax.vmap(subject.row, (0, None)))
    if subject.rows > 1:
        return True
    for number, target in enumerate(subject.targets):
        given = target.value
        given = given.astype(np.float32) if given.dtype.kind == "f" else given
        values = np.asarray(cost(rows, jnp.asarray(given)))
        if not np.all(np.delete(values, number) > values[number]):
            return False
    return True


def _rows(
    batched: Callable, task: str, form: str, name: str, function: Callable, classes: int
) -> int:
    """1, or 4 for a loss that mixes the examples of a batch; checks what it returns."""
    few = batch(task, form, "unit", _FEW, classes)
    label = f"loss `{name}`"
    out = guarded(lambda: jax.eval_shape(batched, *few), label, function)
    check_output(out, few[0].shape, label, function)
    if out.shape != ():
        return 1
    one = jit_once(
        lambda p, t: (
            batched(p, t),
            jnp.stack([batched(p[i : i + 1], t[i : i + 1]) for i in range(_FEW)]),
        )
    )
    try:
        whole, single = (np.asarray(v, np.float64) for v in one(*few))
    except Exception:
        return 4
    sums = np.array([single.mean(), single.sum()])
    return 1 if np.any(np.abs(sums - whole) <= 1e-4 * (1 + np.abs(whole))) else 4


def _made(batched: Callable, rest: tuple, form: str, rows: int) -> Subject:
    function, name, task, domain, head, classes = rest
    shape = example_shape(task, rows, classes)
    return _checked(
        Subject(
            name=name,
            kind="loss",
            task=task,
            form=form,
            head=head,
            domain=domains.domain(domain, shape, centered=task == "regression"),
            shape=shape,
            targets=domains.targets(task, form, shape, domain),
            row=_row(batched),
            batched=batched,
            function=function,
        )
    )


def _row(batched: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda x, target: jnp.sum(batched(x, target))


def _checked(subject: Subject) -> Subject:
    """The subject, traced; told where the function is random or has no gradient."""
    value = guarded(lambda: subject.value, subject.label, subject.function)
    again = guarded(lambda: replace(subject).value, subject.label, subject.function)
    if str(value) != str(again) or not _same_constants(value, again):
        raise UserError(
            f"{subject.label} is random: traced twice, it is two different programs",
            place=subject.place,
            hint="take the random numbers as an argument, or from a fixed jax.random.key",
        )
    guarded(lambda: subject.gradient, subject.label, subject.function)
    return subject


def _same_constants(a: jex.ClosedJaxpr, b: jex.ClosedJaxpr) -> bool:
    return all(
        np.array_equal(np.asarray(x), np.asarray(y), equal_nan=np.asarray(x).dtype.kind == "f")
        for x, y in zip(a.consts, b.consts, strict=True)
    )


def _signed_if_needed(subject: Subject, batched: Callable, rest: tuple) -> Subject:
    """Targets -1 and 1 where the loss is constant for the target 0 but not for -1."""
    x = jnp.linspace(-3.0, 3.0, 7, dtype=jnp.float32)
    rows = jit_once(jax.vmap(lambda v, t: subject.row(jnp.full(subject.shape, v), t), (0, None)))
    at = {t: np.asarray(rows(x, jnp.full(subject.shape, t, jnp.float32))) for t in (-1.0, 0.0, 1.0)}
    moving = {t: np.ptp(values) > 0 for t, values in at.items()}
    mirrored = np.allclose(at[-1.0], at[1.0][::-1], rtol=1e-4, atol=1e-5)
    if moving[0.0] or not (moving[1.0] and mirrored):
        return subject
    note = "targets are -1 and 1: for the target 0 it is constant (--targets decides)"
    made = _made(batched, rest, "signed", subject.rows)
    return replace(made, notes=(*subject.notes, note))


def _is_elementwise(function: Callable) -> bool:
    """Whether each element of the result depends on its own alone; true where it cannot be told."""
    x = np.linspace(-2, 2, FEATURES, dtype=np.float32) ** 3
    with contextlib.suppress(Exception):
        whole, alone = jit_once(
            lambda v: (function(v), jnp.concatenate([function(v[i : i + 1]) for i in range(4)]))
        )(x)
        return np.allclose(whole, alone, rtol=1e-4, atol=1e-5, equal_nan=True)
    return True


def _plain(function: Callable, kind: str, domain: str, name: str) -> Subject:
    """An activation `f(x)`, or a function of one or more arrays, weighted into one number."""
    label = f"{kind} `{name}`"
    inputs = inputs_of(function, kind)
    shapes: list[tuple[int, ...]] = [(3, FEATURES), (1, FEATURES), (FEATURES,)]
    if kind == "activation":
        shapes = [(1,)] if _is_elementwise(function) else [(FEATURES,)]
    errors = []
    for shape in shapes:
        arguments = [jax.ShapeDtypeStruct(shape, jnp.float32)] * inputs
        try:
            out = guarded(lambda: jax.eval_shape(function, *arguments), label, function)  # noqa: B023
        except UserError as error:
            errors.append(error)
            continue
        check_plain(out, shape, kind, label, function)
        break
    else:
        raise errors[0]
    whole = shape if inputs == 1 else (inputs, *shape)
    weights = 1 + 0.5 * np.cos(1.0 + np.arange(max(int(np.prod(out.shape)), 1)))

    def batched(x: Array, _: Array) -> Array:
        return function(x) if inputs == 1 else function(*(x[i] for i in range(inputs)))

    def row(x: Array, target: Array) -> Array:
        found = batched(x, target)
        scale = weights.reshape(out.shape).astype(found.dtype) if found.size > 1 else 1
        return jnp.sum(found * scale)

    notes = [f"judged as the weighted sum of its {out.shape} outputs"] if kind == "function" else []
    return _checked(
        Subject(
            name=name,
            kind=kind,
            domain=domains.domain(domain, whole, centered=False),
            shape=whole,
            targets=domains.targets(None, "auto", whole, domain),
            row=row,
            batched=batched,
            function=function,
            notes=tuple(notes),
        )
    )
