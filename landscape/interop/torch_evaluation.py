"""Calls of a torch function as operations of JAX, with torch's own gradient."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from landscape.interop.aten_record import Record
from landscape.interop.torch_calls import CallsTorch, TorchCall
from landscape.interop.torch_signature import Options

Array = Any


class BoundCall(NamedTuple):
    """A function, the names of its last arrays, and its options."""

    function: Any
    names: tuple[str, ...]
    options: Options

    def in_torch(self, record: Record) -> CallsTorch:
        """Returns the call of torch itself, with results of the types of a record."""
        callables = functools.partial(self.function.callable_of, self.options)
        trained = sum(number is not None for number in record.cotangents)
        call = TorchCall(callables, self.names, record.result_types, trained, record.differentiated)
        return CallsTorch(call, record)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def evaluate(call: BoundCall, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Returns what a call returns for inputs; its derivative is the gradient of torch."""
    return tuple(call.function.program(call, inputs, ()).values(inputs))


def _forward(call: BoundCall, primals: Any) -> Any:
    inputs = tuple(primal.value for primal in primals)
    perturbed = tuple(i for i, p in enumerate(primals) if p.perturbed and is_float(p.value))
    program = call.function.program(call, inputs, perturbed)
    return tuple(program.values(inputs)), (inputs, perturbed)


def _backward(call: BoundCall, residuals: Any, cotangents: Any) -> Any:
    inputs, perturbed = residuals
    program = call.function.program(call, inputs, perturbed)
    record = program.first
    weights = [_instantiated(c, t) for c, t in zip(cotangents, record.result_types, strict=True)]
    gradients = program.gradients(inputs, weights)
    by_position = dict(zip(record.differentiated, gradients, strict=True))
    return (tuple(by_position.get(position) for position in range(len(inputs))),)


evaluate.defvjp(_forward, _backward, symbolic_zeros=True)


def _instantiated(cotangent: Any, kind: Any) -> Any:
    if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
        return jnp.zeros(kind.shape, kind.dtype)
    return cotangent


def is_float(array: Array) -> bool:
    """Returns whether the numbers are floating-point, so that torch can differentiate them."""
    return bool(jnp.issubdtype(array.dtype, jnp.floating))
