"""Targets that a loss treats apart: missing ones, and labels that are ignored."""

from dataclasses import replace

import jax
import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.subject import Subject
from landscape.audit.static.target_tests import target_tests
from landscape.numerics.compiling import jit_once

Array = np.ndarray
POINTS = 8  # predictions at which an ignored target must give no gradient


def with_cases(subject: Subject) -> Subject:
    """Returns the subject with targets that the program tests for, and that give no gradient.

    A NaN, if the loss handles missing targets; a label or number that is in no usual target, such
    as -1. They are only judged by whether value and gradient are finite.
    """
    tests = target_tests(subject.value)
    target = subject.targets[0]
    is_float = np.asarray(target.value).dtype.kind == "f"
    codes: list[tuple[str, float]] = [("missing target", np.nan)] if tests.nan and is_float else []
    alone = [np.unique(t.value) for t in subject.targets]
    usual = [values[0] for values in alone if len(values) == 1]
    codes += [(f"ignored target {c:g}", c) for c in tests.constants if c not in usual]
    cases = [_case(subject, name, code) for name, code in codes]
    is_one = np.size(target.value) == 1
    parts = [case if is_one else _partly(target, case) for case in cases]
    handled = [
        (case, part)
        for case, part in zip(cases, parts, strict=True)
        if _has_value(subject, part) and _gives_no_gradient(subject, case)
    ]
    added = [target for pair in handled for target in (pair[:1] if is_one else pair)]
    return replace(subject, targets=[*subject.targets, *added])


def _case(subject: Subject, name: str, code: float) -> Target:
    target = subject.targets[0]
    value = np.full_like(target.value, code)
    return target._replace(name=name, value=value, ignored=True)


def _partly(target: Target, case: Target) -> Target:
    """Returns a target whose first place has the code of another one."""
    value = np.array(target.value)
    value.flat[0] = np.ravel(case.value)[0]
    return case._replace(name=f"{case.name} in part", value=value, partial=True)


def _evaluated(subject: Subject, case: Target) -> tuple[Array, Array]:
    """Returns values and gradients at random predictions."""
    points = subject.domain.sample(np.random.default_rng(18), POINTS, case).astype(np.float32)
    both = jit_once(jax.vmap(jax.value_and_grad(subject.row), (0, None)))
    values, slopes = both(points, case.cast(np.float32))
    return np.asarray(values), np.asarray(slopes)


def _has_value(subject: Subject, case: Target) -> bool:
    return bool(np.isfinite(_evaluated(subject, case)[0]).any())


def _gives_no_gradient(subject: Subject, case: Target) -> bool:
    """Whether the value does not depend on the predictions, and the gradient is 0 or NaN."""
    values, slopes = _evaluated(subject, case)
    alike = np.isnan(values).all() or (np.isfinite(values).all() and not np.ptp(values))
    return bool(alike and not np.any(np.nan_to_num(slopes)))
