"""What an operand of a traced program was computed from: names of operations, nearest first."""

from typing import Any, NamedTuple

import jax.extend.core as jex

from landscape.audit.static.interpreter import Interpreter
from landscape.numerics.primitives import called_program

Chain = tuple[str, ...] | None  # None: a constant, or computed from targets only
RECIPROCAL = "reciprocal"  # the name of a division with a constant numerator
LENGTH = 5
# Operations that a description of an operand does not need.
_SHAPES = ("broadcast_in_dim", "reshape", "squeeze", "slice", "gather", "transpose")
_LIMITS = ("clamp", "max", "min")
_TRANSPARENT = (*_SHAPES, *_LIMITS, "convert_element_type", "copy", "neg", "stop_gradient")


class Operands(NamedTuple):
    """The operation of an equation, and the chain of each of its operands.

    A chain follows the prediction, through the first operand that depends on it.
    """

    operation: str
    chains: list[Chain]


def operand_chains(program: jex.ClosedJaxpr) -> dict[int, Operands]:
    """Returns the operands by the number of their equation, without equations in loops."""
    operands: dict[int, Operands] = {}

    def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
        chains = [chain if isinstance(chain, tuple) else None for chain in inputs]
        operands[number] = Operands(eqn.primitive.name, chains)
        return []

    arguments: list[Any] = [() if i == 0 else None for i in range(len(program.jaxpr.invars))]
    _Ancestry(observe, False, {}).run(program, arguments, 0)
    return operands


class _Ancestry(Interpreter):
    """Runs a program on chains in place of arrays."""

    def convert(self, value: Any) -> Chain:
        return value if isinstance(value, tuple) else None

    def step(self, eqn: Any, inputs: list[Any], number: int) -> tuple[list[Any], list[Any]]:
        if called_program(eqn) is not None:
            return super().step(eqn, inputs, number)
        name = eqn.primitive.name
        chain = next((chain for chain in inputs if chain is not None), None)
        if chain is not None and name not in _TRANSPARENT:
            name = RECIPROCAL if name == "div" and inputs[0] is None else name
            chain = (name, *chain)[:LENGTH]
        return [chain] * len(eqn.outvars), []
