"""Calls torch whenever the compiled program runs, for a loss that reads its targets in Python."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.utils._pytree import tree_flatten

from landscape.errors import UserError
from landscape.interop.aten_record import Record
from landscape.interop.torch_arrays import input_dtype, jax_dtype, to_array, to_tensor
from landscape.interop.torch_recording import unchanged_torch

Array = Any


class TorchCall(NamedTuple):
    """What torch calls, and the types of what it returns.

    `callables` returns the function and its options for predictions of a dtype. The last arrays are
    passed by their `names`. `kinds` are the types of the results, of which `trained` have a
    gradient.
    """

    callables: Callable[[torch.dtype], tuple[Callable[..., Any], Mapping[str, Any]]]
    names: tuple[str, ...]
    kinds: tuple[Any, ...]
    trained: int
    differentiated: tuple[int, ...]


class CallsTorch(NamedTuple):
    """A loss that torch computes at run time, and a record of it for some targets."""

    call: TorchCall
    first: Record

    def values(self, inputs: Sequence[Array]) -> list[Array]:
        """Returns what the loss returns."""
        return _results_of(self.call, tuple(inputs))

    def gradients(self, inputs: Sequence[Array], cotangents: Sequence[Array]) -> list[Array]:
        """Returns torch's gradients with respect to the differentiated inputs."""
        return _derivatives(self.call, tuple(inputs), tuple(cotangents), ())


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _results_of(call: TorchCall, inputs: tuple[Array, ...]) -> list[Array]:
    shapes = [jax.ShapeDtypeStruct(kind.shape, jax_dtype(kind.dtype)) for kind in call.kinds]
    return list(_on_host(functools.partial(_values, call), shapes, inputs))


@_results_of.defjvp
def _results_jvp(call: TorchCall, primals: Any, tangents: Any) -> Any:
    (inputs,), (moved,) = primals, tangents
    results = _results_of(call, inputs)
    along = [_real(moved[i], inputs[i]) for i in call.differentiated]

    def slope(weights: list[Array]) -> Array:
        parts = zip(_derivatives(call, inputs, tuple(weights), ()), along, strict=True)
        return sum((jnp.sum(gradient * move) for gradient, move in parts), start=jnp.zeros(()))

    zeros = [jnp.zeros_like(result) for result in results]
    moves = []
    for position, result in enumerate(results):
        if not jnp.issubdtype(result.dtype, jnp.floating):
            moves.append(np.zeros(result.shape, jax.dtypes.float0))
            continue
        units = jnp.eye(result.size, dtype=result.dtype).reshape(-1, *result.shape)
        slopes = jax.vmap(lambda u, i=position: slope([*zeros[:i], u, *zeros[i + 1 :]]))(units)
        moves.append(slopes.reshape(result.shape).astype(result.dtype))
    return results, moves


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _derivatives(
    call: TorchCall,
    inputs: tuple[Array, ...],
    cotangents: tuple[Array, ...],
    directions: tuple[tuple[Array, ...], ...],
) -> list[Array]:
    """Returns the gradient of the derivative of the loss along several directions in turn."""
    shapes = [jax.ShapeDtypeStruct(inputs[i].shape, inputs[i].dtype) for i in call.differentiated]
    function = functools.partial(_derivatives_in_torch, call)
    return list(_on_host(function, shapes, inputs, cotangents, directions))


@_derivatives.defjvp
def _derivatives_jvp(call: TorchCall, primals: Any, tangents: Any) -> Any:
    inputs, cotangents, directions = primals
    moved, of_cotangents, of_directions = tangents
    result = _derivatives(call, inputs, cotangents, directions)
    along = tuple(_real(moved[i], inputs[i]) for i in call.differentiated)
    terms = [_derivatives(call, inputs, cotangents, (*directions, along))]
    weights = tuple(map(_real, of_cotangents, cotangents))
    terms.append(_derivatives(call, inputs, weights, directions))
    for position, direction in enumerate(of_directions):  # linear in each direction
        real = tuple(map(_real, direction, directions[position]))
        replaced = (*directions[:position], real, *directions[position + 1 :])
        terms.append(_derivatives(call, inputs, cotangents, replaced))
    return result, [sum(parts[1:], start=parts[0]) for parts in zip(*terms, strict=True)]


def _real(tangent: Array, primal: Array) -> Array:
    """Returns a tangent, or zeros in place of that of an array of integers."""
    if getattr(tangent, "dtype", None) == jax.dtypes.float0:
        return jnp.zeros_like(primal)
    return tangent


def _on_host(function: Callable[..., Any], shapes: Sequence[Any], *arguments: Any) -> Any:
    """Returns `function(*arguments)`, called on the host for each element of mapped axes."""
    leaves, structure = jax.tree.flatten(arguments)
    ranks = [jnp.ndim(leaf) for leaf in leaves]

    def mapped(*arrays: Array) -> tuple[np.ndarray, ...]:
        values = [np.asarray(array) for array in arrays]
        lead = values[0].shape[: values[0].ndim - ranks[0]]
        flat = [
            v.reshape(-1, *v.shape[v.ndim - rank :]) for v, rank in zip(values, ranks, strict=True)
        ]
        rows = [function(*jax.tree.unflatten(structure, row)) for row in zip(*flat, strict=True)]
        return tuple(
            np.reshape([row[i] for row in rows], (*lead, *shape.shape)).astype(shape.dtype)
            for i, shape in enumerate(shapes)
        )

    return jax.pure_callback(mapped, tuple(shapes), *leaves, vmap_method="broadcast_all")


def _values(call: TorchCall, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    with unchanged_torch(), torch.no_grad():
        return [to_array(result) for result in _results(call, _tensors(inputs))]


def _derivatives_in_torch(
    call: TorchCall,
    inputs: Sequence[np.ndarray],
    cotangents: Sequence[np.ndarray],
    directions: Sequence[Sequence[np.ndarray]],
) -> list[np.ndarray]:
    with unchanged_torch():
        tensors = _tensors(inputs)
        leaves = [tensors[i].requires_grad_() for i in call.differentiated]
        results = _results(call, tensors)[: call.trained]
        weighted = [
            (result * to_tensor(weight, result.dtype)).sum()
            for result, weight in zip(results, cotangents, strict=False)
            if result.requires_grad
        ]
        slopes = _gradient(weighted, leaves, again=bool(directions))
        for position, direction in enumerate(directions):
            parts = zip(slopes, direction, strict=True)
            total = [(s * to_tensor(d, s.dtype)).sum() for s, d in parts]
            slopes = _gradient(total, leaves, again=position + 1 < len(directions))
        return [to_array(slope) for slope in slopes]


def _gradient(
    terms: Sequence[torch.Tensor], leaves: Sequence[torch.Tensor], *, again: bool
) -> list[torch.Tensor]:
    """Returns the gradient of a sum of terms, to be differentiated `again`."""
    terms = [term for term in terms if term.requires_grad]
    if not terms:
        return [torch.zeros_like(leaf) for leaf in leaves]
    slopes = torch.autograd.grad(terms, leaves, allow_unused=True, create_graph=again)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(slopes, leaves, strict=True)]


def _tensors(inputs: Sequence[np.ndarray]) -> list[torch.Tensor]:
    return [to_tensor(array, input_dtype(array.dtype)) for array in inputs]


def _results(call: TorchCall, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Returns the results of torch; their shapes must not depend on the values of the targets."""
    count = len(tensors) - len(call.names)
    keywords = dict(zip(call.names, tensors[count:], strict=True))
    function, options = call.callables(tensors[0].dtype)
    results = tree_flatten(function(*tensors[:count], **keywords, **options))[0]
    results = [torch.as_tensor(result) for result in results]
    shapes = [tuple(result.shape) for result in results]
    if shapes != [kind.shape for kind in call.kinds]:
        raise UserError(
            f"returns shapes {shapes} for some targets and "
            f"{[kind.shape for kind in call.kinds]} for others",
            hint="return one number, or one per example, for all targets",
        )
    return results
