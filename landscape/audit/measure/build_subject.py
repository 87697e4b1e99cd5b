"""Builds the subject of an audit from a user's function."""

import contextlib
import inspect
import io
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure import domains
from landscape.audit.measure.heads import HEADS
from landscape.audit.measure.loss_subject import loss_subject
from landscape.audit.measure.one_example import with_hint
from landscape.audit.measure.signature import check_choice, check_real, count_inputs
from landscape.audit.measure.subject import AIMS, CALLBACKS, Subject, SubjectOptions, checked
from landscape.audit.static.equations import equations
from landscape.audit.static.source import locate
from landscape.errors import Place, UserError
from landscape.interop.libraries import adapted, in_its_words, replayed
from landscape.numerics.compiling import jit_once
from landscape.numerics.loss_arguments import name_of
from landscape.numerics.user_calls import definition, guarded, last_user_line

Array = Any
KINDS = ("loss", "activation", "function")
FORMS = ("auto", "onehot", "labels", "signed", "zero_one")
FEATURES = 4


def build(function: Callable, options: SubjectOptions) -> Subject:
    """Returns the subject of an audit.

    Raises UserError if the function cannot be audited, with its line.
    """
    function = replayed(adapted(function))
    options = options._replace(name=options.name or name_of(function))
    if inspect.isclass(function):
        raise UserError(
            f"`{options.name}` is a class, not a function",
            hint="name a function, or a callable instance of the class",
        )
    check_choice(options.kind, KINDS, "kind")
    check_choice(options.form, FORMS, "form of targets")
    check_choice(options.aim, ("auto", *AIMS), "aim")
    if options.head is not None:
        check_choice(options.head, tuple(HEADS), "head")
    printed = _Printed()
    with contextlib.redirect_stdout(printed):
        build_kind = loss_subject if options.kind == "loss" else _function_subject
        try:
            subject = build_kind(function, options)
        except UserError as error:
            raise _in_its_words(function, with_hint(error, function, options)) from error
    notes = (*subject.notes, *printed.notes(), *_callback_notes(subject))
    return replace(subject, notes=notes)


def _in_its_words(function: Callable, error: UserError) -> UserError:
    """Returns an error in the words of the library in which the function is written."""
    hint = error.hint and in_its_words(function, error.hint)
    message = in_its_words(function, error.message)
    return UserError(message, place=error.place, hint=hint, part=error.part)


class _Printed(io.StringIO):
    """Records what a user's function prints while it is traced, and the line that prints first."""

    place: Place | None = None

    def write(self, text: str) -> int:
        if self.place is None and text.strip():
            self.place = last_user_line(traceback.extract_stack())
        return super().write(text)

    def notes(self) -> list[str]:
        text = self.getvalue().strip()
        if not text:
            return []
        line = f" at line {self.place.line}" if self.place else ""
        first = text.splitlines()[0][:40]
        return [f"it prints{line}, once per trace and not once per call: {first!r}"]


def _callback_notes(subject: Subject) -> list[str]:
    """Returns a note for each print or callback that runs with the compiled program."""
    source_file = subject.place.file if subject.place else None
    notes = []
    for _, eqn, calls in equations(subject.value):
        if eqn.primitive.name in CALLBACKS:
            where = locate(eqn, calls, source_file)
            line = f" at line {where.line}" if where else ""
            notes.append(f"it calls back to Python{line} ({eqn.primitive.name}) whenever it runs")
    return list(dict.fromkeys(notes))


def _is_elementwise(function: Callable) -> bool:
    """Whether each element of the result depends only on the same element of the input.

    True if the function cannot be evaluated.
    """
    x = np.linspace(-2, 2, FEATURES, dtype=np.float32) ** 3
    with contextlib.suppress(Exception):
        whole, alone = jit_once(
            lambda v: (function(v), jnp.concatenate([function(v[i : i + 1]) for i in range(4)]))
        )(x)
        return np.allclose(whole, alone, rtol=1e-4, atol=1e-5, equal_nan=True)
    return True


def _function_subject(function: Callable, options: SubjectOptions) -> Subject:
    """Returns the subject of an activation, or of a weighted sum of the outputs of a function."""
    kind, domain = options.kind, options.domain or "real"
    label = f"{kind} `{options.name}`"
    inputs = count_inputs(function, kind)
    shapes: list[tuple[int, ...]] = [(3, FEATURES), (1, FEATURES), (FEATURES,)]
    if kind == "activation":
        shapes = [(1,) if _is_elementwise(function) else (FEATURES,)]
    shape, out = _accepted_shape(function, shapes, inputs, kind, label)
    stacked = shape if inputs == 1 else (inputs, *shape)
    weights = 1 + 0.5 * np.cos(1.0 + np.arange(max(int(np.prod(out.shape)), 1)))

    def batched(x: Array, _: Array) -> Array:
        return function(x) if inputs == 1 else function(*(x[i] for i in range(inputs)))

    def row(x: Array, target: Array) -> Array:
        value = batched(x, target)
        scale = weights.reshape(out.shape).astype(value.dtype) if value.size > 1 else 1
        return jnp.sum(value * scale)

    notes = []
    if kind == "function" and out.shape:
        notes = [f"judged as the weighted sum of its {out.shape} outputs"]
    return checked(
        Subject(
            name=options.name,
            kind=kind,
            domain=domains.domain(domain, stacked, centered=False),
            shape=stacked,
            targets=[domains.Target("", np.zeros(()), np.ones(stacked))],
            row=row,
            batched=batched,
            function=function,
            notes=tuple(notes),
        )
    )


def _accepted_shape(
    function: Callable, shapes: list[tuple[int, ...]], inputs: int, kind: str, label: str
) -> tuple[tuple[int, ...], jax.ShapeDtypeStruct]:
    """Returns the first shape of the inputs that the function accepts, and that of its result."""
    errors = []
    for shape in shapes:
        arguments = [jax.ShapeDtypeStruct(shape, jnp.float32)] * inputs
        try:
            out = guarded(partial(jax.eval_shape, function, *arguments), label, function)
        except UserError as error:
            errors.append(error)
            continue
        check_real(out, label, function)
        if kind == "activation" and out.shape != shape:
            raise UserError(
                f"{label} returns shape {out.shape} for an input of shape {shape}",
                place=definition(function),
                hint="an activation is elementwise; for anything else use `--kind function`",
            )
        return shape, out
    raise errors[0]
