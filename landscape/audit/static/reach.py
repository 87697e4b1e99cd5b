"""Which outputs of a traced program an input reaches."""

from typing import Any

import jax.extend.core as jex

from landscape.audit.static.interpreter import Interpreter
from landscape.numerics.primitives import called_program


def reached_outputs(program: jex.ClosedJaxpr, number: int) -> list[bool]:
    """Returns for each output whether the input of this number can influence it."""
    arguments = [i == number for i in range(len(program.jaxpr.invars))]
    return _Reach(None, False, {}).run(program, arguments, 0)[0]


class _Reach(Interpreter):
    """Follows one input through a program; True is a value that it reaches."""

    def convert(self, value: Any) -> bool:
        return value is True

    def step(self, eqn: Any, inputs: list[Any], number: int) -> tuple[list[Any], list[Any]]:
        if called_program(eqn) is not None:
            return super().step(eqn, inputs, number)
        return [any(inputs)] * len(eqn.outvars), []
