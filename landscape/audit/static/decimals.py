"""Evaluates traced programs with many digits, to tell a function from its rounding in float64.

Arrays of floats are NumPy arrays of `decimal.Decimal`, whose exponents do not overflow; integers
and booleans stay as they are.
"""

import decimal
from decimal import Decimal
from typing import Any

import jax.extend.core as jex
import numpy as np

from landscape.audit.static.decimal_rules import RULES, UnsupportedOperationError, each
from landscape.audit.static.interpreter import Interpreter
from landscape.numerics.primitives import apply_equation, called_program

Array = np.ndarray
DIGITS = (50, 600)  # tried in this order until every output is finite
_MOVES = ("gather", "dynamic_slice", "rev")  # applied to positions in place of values


def evaluate_exactly(program: jex.ClosedJaxpr, point: Array, target: Array) -> list[Array] | None:
    """Returns the outputs of a program as arrays of Decimal, None if it has no such evaluation.

    Digits are added as long as an output is not finite: a difference may be 0 by rounding.
    """
    outputs: list[Array] | None = None
    for digits in DIGITS:
        with decimal.localcontext(_context(digits)):
            try:
                outputs = _Decimals(None, False, {}).run(program, [point, target], 0)[0]
            except (UnsupportedOperationError, decimal.DecimalException, OverflowError, ValueError):
                return None
        if all(value.is_finite() for output in outputs for value in np.ravel(output)):
            return outputs
    return outputs


def _context(digits: int) -> decimal.Context:
    return decimal.Context(
        prec=digits, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[], clamp=0
    )


class _Decimals(Interpreter):
    """Runs a program on arrays of Decimal."""

    def convert(self, value: Any) -> Array:
        array = np.asarray(value)
        if array.dtype == object or array.dtype.kind in "biu":
            return array
        return each(lambda v: Decimal(float(v)), array.astype(np.float64))

    def step(self, eqn: Any, inputs: list[Any], number: int) -> tuple[list[Any], list[Any]]:
        if called_program(eqn) is not None:
            return super().step(eqn, inputs, number)
        name = eqn.primitive.name
        if name == "cond":
            branches = eqn.params["branches"]
            branch = branches[min(max(int(inputs[0]), 0), len(branches) - 1)]
            return self.run(branch, inputs[1:], number)
        if name in RULES:
            output = RULES[name](eqn, *inputs)
        elif name in _MOVES and inputs[0].dtype == object:
            positions = np.arange(inputs[0].size, dtype=np.int32).reshape(inputs[0].shape)
            with np.errstate(invalid="ignore"):
                moved = np.asarray(apply_equation(eqn, [positions, *inputs[1:]])[0])
            if moved.size and moved.min() < 0:
                raise UnsupportedOperationError(name)
            output = inputs[0].ravel()[moved]
        elif all(array.dtype != object for array in inputs) and inputs:
            return [self.convert(output) for output in apply_equation(eqn, inputs)], []
        else:
            raise UnsupportedOperationError(name)
        outputs = output if isinstance(output, list) else [output]
        return [np.asarray(each) for each in outputs], []
