"""Targets that a loss treats apart: missing ones, and labels that are ignored."""

from dataclasses import replace
from typing import Any

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
    usual = np.unique(np.concatenate([np.ravel(t.value) for t in subject.targets]))
    codes += [(f"ignored target {c:g}", c) for c in tests.constants if c not in usual]
    cases = [_case(subject, name, code) for name, code in codes]
    cases = [case for case in cases if _gives_no_gradient(subject, case)]
    partly = [_partly(target, case) for case in cases if np.size(target.value) > 1]
    return replace(subject, targets=[*subject.targets, *cases, *partly])


def _case(subject: Subject, name: str, code: float) -> Target:
    target = subject.targets[0]
    value = np.full_like(target.value, code)
    return target._replace(name=name, value=value, ignored=True)


def _partly(target: Target, case: Target) -> Target:
    """Returns a target whose first place has the code of another one."""
    value = np.array(target.value)
    value.flat[0] = np.ravel(case.value)[0]
    return case._replace(name=f"{case.name} in part", value=value)


def _gives_no_gradient(subject: Subject, case: Target) -> bool:
    """Whether the value does not depend on the predictions, and the gradient is 0 or NaN."""
    rng = np.random.default_rng(18)
    domain = subject.domain
    points = domain.sample(rng, POINTS, case).astype(np.float32)

    def both(x: Any, t: Any) -> Any:
        return jax.value_and_grad(subject.row)(x, t)

    values, slopes = jit_once(jax.vmap(both, (0, None)))(points, case.cast(np.float32))
    values = np.asarray(values)
    alike = np.isnan(values).all() or (np.isfinite(values).all() and not np.ptp(values))
    return bool(alike and not np.any(np.nan_to_num(np.asarray(slopes))))
