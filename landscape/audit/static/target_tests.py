"""What a program tests its targets for: NaN, and numbers that stand for an ignored target."""

from typing import Any, NamedTuple

import jax.extend.core as jex
import numpy as np

from landscape.audit.static.interpreter import Interpreter
from landscape.numerics.primitives import called_program


class TargetTests(NamedTuple):
    """Whether the targets are tested for NaN, and the constants that they are compared with."""

    nan: bool
    constants: tuple[float, ...]


class _Source(NamedTuple):
    """Whether a value depends on targets alone, and the constant that it is, if it is one."""

    is_target: bool
    constant: float | None = None


def target_tests(program: jex.ClosedJaxpr) -> TargetTests:
    """Returns the tests of the second input of a program of (predictions, targets, ...)."""
    tests = _Tests()
    count = len(program.jaxpr.invars)
    tests.run(program, [_Source(number == 1) for number in range(count)], 0)
    return TargetTests(tests.nan, tuple(dict.fromkeys(tests.constants)))


class _Tests(Interpreter):
    """Follows targets and constants through a program."""

    def __init__(self) -> None:
        super().__init__(None, False, {})
        self.nan = False
        self.constants: list[float] = []

    def convert(self, value: Any) -> _Source:
        if isinstance(value, _Source):
            return value
        return _Source(False, float(np.ravel(value)[0]) if np.size(value) == 1 else None)

    def step(self, eqn: Any, inputs: list[Any], number: int) -> tuple[list[Any], list[Any]]:
        if called_program(eqn) is not None:
            return super().step(eqn, inputs, number)
        name = eqn.primitive.name
        of_target = [value.is_target for value in inputs]
        if name == "is_finite" or (name == "ne" and eqn.invars[0] is eqn.invars[-1]):
            self.nan = self.nan or any(of_target)
        elif name in ("eq", "ne") and any(of_target):
            self.constants += [v.constant for v in inputs if v.constant is not None]
        constants = [value.constant for value in inputs]
        moves = name in ("convert_element_type", "broadcast_in_dim", "copy")
        varies = any(not v.is_target and v.constant is None for v in inputs)
        source = _Source(any(of_target) and not varies, constants[0] if moves else None)
        return [source] * len(eqn.outvars), []
