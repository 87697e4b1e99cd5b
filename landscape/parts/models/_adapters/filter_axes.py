"""The axis that counts the output units of each weight of a model from another library."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from landscape.errors import UserError

PyTree = Any
# `first`, `last`, a function of the parameters, or None: only layers that are known.
Choice = str | Callable[[PyTree], PyTree] | None
# By the path of a parameter: its axis, which may be negative, or None for a bias or normalization.
KnownAxes = Mapping[str, int | None]
_MOST_LISTED = 8
_IN_A_CONFIG = (
    "set `filter_axes: last` (or `first`) of the model, or `filter_axes: file.py:function`, a "
    "function from the parameters to a tree of axes"
)


def filter_axes(
    params: PyTree, known: KnownAxes, choice: Choice, advice: str = _IN_A_CONFIG
) -> PyTree:
    """Returns the axis of the output units of each weight, None for biases and normalization.

    Layers that are not `known` follow the `choice`, except arrays with one axis, which have none.
    A function decides for all parameters. Raises UserError for weights of unknown layers without a
    choice, with `advice` on how to state one, and for axes that a weight does not have.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    if callable(choice):
        return _checked(choice(params), params)
    axes, unknown = [], []
    for path, leaf in leaves:
        name = path_of(path)
        axis = known.get(name)
        if name not in known and len(leaf.shape) > 1:
            axis = {"first": 0, "last": -1, None: None}[choice]
            unknown += [f"`{name}` {leaf.shape}"] if choice is None else []
        axes.append(None if axis is None else axis % len(leaf.shape))
    if unknown:
        listed, others = ", ".join(unknown[:_MOST_LISTED]), len(unknown) - _MOST_LISTED
        raise UserError(
            f"the axis of the output units is not known for {listed}"
            + (f" and {others} more" if others > 0 else ""),
            hint=advice,
        )
    return jax.tree.unflatten(structure, axes)


def path_of(path: tuple) -> str:
    """Returns the path of a parameter as text, such as `layers/0/weight`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _checked(axes: PyTree, params: PyTree) -> PyTree:
    """Returns axes as whole numbers from 0; raises UserError if they do not fit the parameters."""

    def check(path: tuple, leaf: Any, axis: Any) -> int | None:
        if axis is None or (type(axis) is int and -len(leaf.shape) <= axis < len(leaf.shape)):
            return None if axis is None else axis % len(leaf.shape)
        raise UserError(
            f"`filter_axes` returns {axis!r} for `{path_of(path)}` of shape {leaf.shape}",
            hint="expected the number of one of its axes, or None for a bias",
        )

    try:
        return jax.tree_util.tree_map_with_path(check, params, axes)
    except ValueError:
        message = "`filter_axes` does not return a tree like the parameters"
        hint = "build it with jax.tree.map over the parameters"
        raise UserError(message, hint=hint) from None
