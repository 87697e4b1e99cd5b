"""Operations on what masks of the targets select, computed on all elements of the masks.

A selection `x[mask]` is replayed as all elements of x, of which those that the mask selects count:
a sum over them is a sum in which the others are 0. Sizes are therefore those of the mask.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from landscape.interop.aten_record import RaggedAxis
from landscape.interop.operations import elementwise_rules, reduction_rules
from landscape.interop.target_reads import Unresolved

Array = Any
Axes = Mapping[int, RaggedAxis]
# Operations that keep each element; those that move axes or give them sizes do so by the record.
_MOVING = {
    "_reshape_alias",
    "_unsafe_view",
    "expand",
    "permute",
    "reshape",
    "squeeze",
    "t",
    "transpose",
    "unsqueeze",
    "view",
}
# By operation, the position of the argument that is the axis along which it works.
_ALONG = {
    "cumsum": 1,
    "gather": 1,
    "index_add": 1,
    "index_select": 1,
    "scatter": 1,
    "scatter_add": 1,
    "select": 1,
    "slice": 1,
    "sort": 1,
    "stack": 1,
    "topk": 2,
    "unbind": 1,
    "cat": 1,
}
SELECTING = ("index", "nonzero", "index_put", "_unsafe_index_put", "masked_scatter")
_NEUTRAL: dict[str, Any] = {
    "all": True,
    "amax": -math.inf,
    "amin": math.inf,
    "any": False,
    "argmax": -math.inf,
    "argmin": math.inf,
    "logsumexp": -math.inf,
    "max": -math.inf,
    "min": math.inf,
    "prod": 1,
    "sum": 0,
}


class Ragged(NamedTuple):
    """The ragged axes of the arguments of a step and of its result, and how to get masks."""

    arguments: Sequence[Axes]
    result: Axes
    shape: tuple[int, ...]
    masks: Callable[[Any], Array]

    def counts(self, axis: RaggedAxis) -> Array:
        """Returns whether each element of a ragged axis counts."""
        mask = jnp.ravel(self.masks(axis.mask)) != 0
        return jnp.repeat(mask, axis.multiple) if axis.multiple > 1 else mask

    def filled(self, x: Array, axes: Axes, value: Any) -> Array:
        """Returns an array with a value in place of the elements that do not count."""
        for axis, ragged in axes.items():
            shape = [-1 if i == axis else 1 for i in range(jnp.ndim(x))]
            x = jnp.where(self.counts(ragged).reshape(shape), x, _limited(value, x))
        return x


def perform(
    name: str,
    rule: Callable[..., Any],
    ragged: Ragged,
    arguments: list[Any],
    keywords: dict[str, Any],
) -> Any:
    """Returns the results of an operation. Raises Unresolved if it mixes elements otherwise."""
    first = ragged.arguments[0] if ragged.arguments else {}
    if name in SELECTING:
        return _selection(name, rule, ragged, arguments)
    if name in elementwise_rules.RULES or name in _MOVING:
        return rule(*arguments, **keywords)
    if name in ("_log_softmax", "_softmax"):
        dim = arguments[1] % jnp.ndim(arguments[0])
        over = {axis: ragged_axis for axis, ragged_axis in first.items() if axis == dim}
        return rule(ragged.filled(arguments[0], over, -math.inf), *arguments[1:])
    if name in (*_NEUTRAL, "mean", "var"):
        return _reduced(name, rule, ragged, arguments, keywords)
    if name in ("mm", "bmm", "addmm", "mv", "dot"):
        return _product(name, rule, ragged, arguments, keywords)
    if name in _ALONG and not _works_along_ragged(name, ragged, arguments, keywords):
        return rule(*arguments, **keywords)
    raise Unresolved


def _works_along_ragged(
    name: str, ragged: Ragged, arguments: list[Any], keywords: dict[str, Any]
) -> bool:
    position = _ALONG[name]
    default = -1 if name in ("sort", "topk") else 0
    dim = arguments[position] if len(arguments) > position else keywords.get("dim", default)
    if name == "stack":
        return dim % (jnp.ndim(arguments[0][0]) + 1) in ragged.result
    if name == "cat":
        rank = jnp.ndim(arguments[0][0])
        return any(dim % rank in axes for axes in ragged.arguments)
    return dim % jnp.ndim(arguments[0]) in ragged.arguments[0]


def _limited(value: Any, x: Array) -> Any:
    if isinstance(value, float) and not jnp.issubdtype(jnp.result_type(x), jnp.floating):
        limits = jnp.iinfo(jnp.result_type(x))
        return limits.min if value < 0 else limits.max
    return np.asarray(value, jnp.result_type(x))


def _reduced(
    name: str,
    rule: Callable[..., Any],
    ragged: Ragged,
    arguments: list[Any],
    keywords: dict[str, Any],
) -> Any:
    x, *options = arguments
    axes = ragged.arguments[0]
    dim = options[0] if options else keywords.get("dim")
    rank = jnp.ndim(x)
    listed = [dim] if isinstance(dim, int) else list(dim or range(rank))
    over = {axis % rank: axes[axis % rank] for axis in listed if axis % rank in axes}
    if not over:
        return rule(x, *options, **keywords)
    if name in _NEUTRAL:
        return rule(ragged.filled(x, over, _NEUTRAL[name]), *options, **keywords)
    size: Any = math.prod(x.shape[axis % rank] for axis in listed if axis % rank not in over)
    for axis in over.values():
        size = size * jnp.sum(ragged.counts(axis)).astype(x.dtype)
    named = {k: v for k, v in keywords.items() if k != "correction"}
    total = reduction_rules.RULES["sum"]
    keepdim = {"dim": listed, "keepdim": True}
    if name == "mean":
        return total(ragged.filled(x, over, 0), *options, **named) / size
    mean = total(ragged.filled(x, over, 0), **keepdim) / size
    squares = ragged.filled((x - mean) ** 2, over, 0)
    correction = keywords.get("correction", 1)
    size = jnp.maximum(size - (1 if correction is None else correction), 0)
    return total(squares, *options, **named) / size


def _product(
    name: str,
    rule: Callable[..., Any],
    ragged: Ragged,
    arguments: list[Any],
    keywords: dict[str, Any],
) -> Any:
    """Returns a matrix product, to which elements that do not count add nothing."""
    start = 1 if name == "addmm" else 0
    x, y = arguments[start : start + 2]
    of_x, of_y = ragged.arguments[start : start + 2]
    last = jnp.ndim(x) - 1
    inner = max(jnp.ndim(y) - 2, 0)
    x = ragged.filled(x, {a: r for a, r in of_x.items() if a == last}, 0)
    y = ragged.filled(y, {a: r for a, r in of_y.items() if a == inner}, 0)
    return rule(*arguments[:start], x, y, *arguments[start + 2 :], **keywords)


def _selection(name: str, rule: Callable[..., Any], ragged: Ragged, arguments: list[Any]) -> Any:
    """Returns what a mask selects, or an array into whose selected elements values are written."""
    x = arguments[0]
    if name in ("index", "nonzero") and 0 in ragged.shape:  # a mask that selects nothing
        return jnp.zeros(ragged.shape)
    if name not in ("index", "nonzero") and jnp.size(arguments[2]) == 0:
        return x
    if name == "nonzero":
        positions = jnp.indices(x.shape).reshape(x.ndim, -1)
        return positions.T
    if name == "masked_scatter":
        mask, source = arguments[1:3]
        return jnp.where(mask, jnp.reshape(source, x.shape), x)
    indices = arguments[1]
    by_mask = [i is not None and jnp.result_type(i) == jnp.bool_ for i in indices]
    if any(by_mask):
        return _by_mask(name, ragged, arguments, indices)
    if name == "index":
        if ragged.arguments[0]:
            raise Unresolved
        return rule(*arguments)
    values, accumulate = arguments[2], len(arguments) > 3 and arguments[3]
    if not accumulate or ragged.arguments[0]:
        raise Unresolved
    return rule(x, indices, ragged.filled(values, ragged.arguments[1 + len(indices)], 0), True)


def _by_mask(name: str, ragged: Ragged, arguments: list[Any], indices: list[Any]) -> Any:
    x, mask = arguments[0], indices[0]
    if len(indices) != 1 or ragged.arguments[0]:
        raise Unresolved
    rest = x.shape[mask.ndim :]
    if name == "index":
        return jnp.reshape(x, (mask.size, *rest))
    values, accumulate = arguments[2], len(arguments) > 3 and arguments[3]
    full = (mask.size, *rest)
    values = jnp.reshape(jnp.broadcast_to(values, full), x.shape)
    chosen = jnp.reshape(mask, mask.shape + (1,) * len(rest))
    return jnp.where(chosen, x + values if accumulate else values, x)
