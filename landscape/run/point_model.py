"""The model of a point that was trained elsewhere; what does not move is part of its state."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError, nearest
from landscape.numerics.user_calls import definition
from landscape.parts.models import Model, TrainingMode, chosen_filter_axes
from landscape.parts.points import TrainedPoint

PyTree = Any
_AXES_HINT = (
    'pass filter_axes="first" for weights (outputs, inputs) as in PyTorch and Equinox, "last" for '
    "(inputs, outputs) as in Flax, Keras and x @ W, or a function from the parameters to a tree of "
    "axes"
)


class PointVariables(NamedTuple):
    """The trees of a point with the arrays that move; `state` is what the model gets beside them.

    `initial`, `checkpoints` (with a leading axis) and `update` are None if the point has none.
    """

    trained: PyTree
    state: PyTree
    initial: PyTree
    checkpoints: PyTree
    checkpoint_steps: np.ndarray
    update: PyTree


def checkpoint_items(point: TrainedPoint) -> list[tuple[int, PyTree]]:
    """Returns the steps and parameters of the checkpoints; without steps, they count from 0."""
    if point.checkpoints is None:
        return []
    if isinstance(point.checkpoints, Mapping):
        return sorted(point.checkpoints.items())
    return list(enumerate(point.checkpoints))


def point_variables(point: TrainedPoint, base: Model | None) -> PointVariables:
    """Returns the variables of a point; `base` is a model of the config, None without one.

    Raises UserError if parameters are not finite floating-point arrays, or if trees differ.
    """
    params = _arrays(point.params, "params", base)
    moves = _moves(point, params)
    fixed = jax.tree.map(lambda leaf, move: None if move else leaf, params, moves)
    state = point.state
    if jax.tree.leaves(fixed):
        state = {"constant": fixed, "state": point.state}

    def moving(tree: PyTree, name: str) -> PyTree:
        arrays = params if tree is point.params else _arrays(tree, name, base)
        _check_alike(arrays, params, name)
        return jax.tree.map(lambda leaf, move: leaf if move else None, arrays, moves)

    items = checkpoint_items(point)
    trees = [moving(tree, f"checkpoints[{number}]") for number, (_, tree) in enumerate(items)]
    return PointVariables(
        trained=moving(point.params, "params"),
        state=state,
        initial=None if point.initial is None else moving(point.initial, "initial"),
        checkpoints=jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees) if trees else None,
        checkpoint_steps=np.array([step for step, _ in items], int),
        update=None if point.update is None else moving(point.update, "update"),
    )


def point_model(point: TrainedPoint, base: Model | None) -> Model:
    """Returns the model whose initial parameters and state are those of the point."""
    variables = point_variables(point, base)
    call = _call(point, base)
    partial = isinstance(variables.state, dict) and set(variables.state) == {"constant", "state"}

    def apply(params: PyTree, inputs: PyTree, state: PyTree = None) -> jax.Array:
        if partial and variables.state is not point.state:
            params, state = _merged(params, state["constant"]), state["state"]
        return call(params, inputs, state)

    axes = _filter_axes(point, variables.trained, base)
    training = None
    if variables.state is not None:
        training = TrainingMode(
            init=lambda key: variables.state,
            apply=lambda params, inputs, state, key: (apply(params, inputs, state), state),
            recompute=_recompute(point, partial),
        )
    return Model(
        init=lambda key: variables.trained,
        apply=apply,
        filter_axes=lambda params: axes,
        twice_differentiable=None if base is None else base.twice_differentiable,
        training=training,
    )


def _call(point: TrainedPoint, base: Model | None) -> Callable[[PyTree, PyTree, PyTree], Any]:
    """`call(params, inputs, state)`: predictions, or the risk of each batch."""
    if point.risk is not None:
        risk = point.risk
        return lambda params, inputs, state: _risks(risk, params, inputs)
    if base is not None:
        return base.predict
    apply = point.apply
    if apply is None:
        hint = "pass `apply`, a function of the parameters and the inputs, and `loss`; or `risk`"
        raise UserError("the point has neither `apply` nor `risk`", hint=hint)
    if point.state is None:
        return lambda params, inputs, state: apply(params, inputs)
    return apply


def _risks(risk: Callable[[PyTree, PyTree], Any], params: PyTree, batches: PyTree) -> jax.Array:
    """Returns the risk (n,) of each batch along the leading axis."""

    def checked(batch: PyTree) -> jax.Array:
        value = risk(params, batch)
        if value is None or isinstance(value, tuple | list | dict):
            message = f"the risk returns a {type(value).__name__}, expected a floating-point scalar"
            raise UserError(message, place=definition(risk), hint="return the risk alone")
        if jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            kind = f"{jnp.result_type(value)} of shape {jnp.shape(value)}"
            message = f"the risk returns {kind}, expected a floating-point scalar"
            raise UserError(message, place=definition(risk), hint="return a mean, or a sum")
        return jnp.asarray(value)

    count = jax.tree.leaves(batches)[0].shape[0]
    if count == 1:
        return checked(jax.tree.map(lambda array: array[0], batches))[None]
    return jax.lax.map(checked, batches)


def _recompute(point: TrainedPoint, partial: bool) -> Callable[..., jax.Array] | None:
    recompute = getattr(point.training, "recompute", None)
    if recompute is None or not partial:
        return recompute

    def of_part(params: PyTree, inputs: PyTree, state: PyTree) -> jax.Array:
        return recompute(_merged(params, state["constant"]), inputs, state["state"])

    return of_part


def _merged(moving: PyTree, fixed: PyTree) -> PyTree:
    return jax.tree.map(
        lambda a, b: b if a is None else a, moving, fixed, is_leaf=lambda leaf: leaf is None
    )


def path_of(path: tuple) -> str:
    """Returns the path of an array as text, such as `layers/0/weight`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def _moves(point: TrainedPoint, params: PyTree) -> PyTree:
    """Returns whether each array moves. Raises UserError if none does."""
    if point.trainable is None:
        return jax.tree.map(lambda leaf: True, params)
    trainable = point.trainable
    moves = jax.tree_util.tree_map_with_path(
        lambda path, leaf: bool(trainable(path_of(path))), params
    )
    if not any(jax.tree.leaves(moves)):
        names = [path_of(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        others = f" and {len(names) - 3} more" if len(names) > 3 else ""
        shown = ", ".join(f"`{name}`" for name in names[:3])
        raise UserError(
            f"`trainable` selects none of the {len(names)} arrays of the parameters",
            hint=f"it is called with paths: {shown}{others}",
        )
    return moves


def _arrays(tree: PyTree, name: str, base: Model | None) -> PyTree:
    """Returns a tree of arrays on the device. Raises UserError unless all are finite floats."""
    if base is not None:
        tree = _restored(tree, name, base)

    def array(path: tuple, leaf: Any) -> jax.Array:
        where = f"`{name}` at `{path_of(path)}`" if path else f"`{name}`"
        values = (
            jnp.asarray(leaf) if hasattr(leaf, "__array__") or isinstance(leaf, float) else None
        )
        if values is None or not jnp.issubdtype(values.dtype, jnp.floating):
            kind = type(leaf).__name__ if values is None else f"an array of {values.dtype}"
            raise UserError(
                f"{where} is {kind}, expected an array of floating-point numbers",
                hint="pass only what is trained: eqx.filter(model, eqx.is_inexact_array) of "
                "Equinox, variables['params'] of Flax; or use landscape.adapters",
            )
        if not bool(jnp.isfinite(values).all()):
            share = float(1 - jnp.isfinite(values).mean())
            raise UserError(f"{where} is NaN or infinite in {share:.0%} of its entries")
        return values

    arrays = jax.tree_util.tree_map_with_path(array, tree)
    if not jax.tree.leaves(arrays):
        raise UserError(f"`{name}` has no arrays", hint="pass the trained parameters")
    return arrays


def _restored(tree: PyTree, name: str, base: Model) -> PyTree:
    """Returns parameters in the structure of a model of the config, by the names of its arrays."""
    like = jax.eval_shape(base.init, jax.random.key(0))
    structures: list[Any] = [jax.tree.structure(tree), jax.tree.structure(like)]
    if structures[0] == structures[1]:
        _check_alike(tree, like, name)
        return tree

    def named(path: tuple, leaf: jax.ShapeDtypeStruct) -> Any:
        key = path_of(path)
        if not isinstance(tree, Mapping) or key not in tree:
            names = list(tree) if isinstance(tree, Mapping) else []
            hint = nearest(key, names) if names else "pass a mapping from names to arrays"
            raise UserError(f"`{name}` has no `{key}` {leaf.shape}", hint=hint)
        if np.shape(tree[key]) != leaf.shape:
            raise UserError(
                f"`{name}` has the shape {np.shape(tree[key])} at `{key}`, its model {leaf.shape}"
            )
        return tree[key]

    return jax.tree_util.tree_map_with_path(named, like)


def _check_alike(tree: PyTree, params: PyTree, name: str) -> None:
    """Raises UserError unless a tree has the structure and the shapes of the parameters."""
    shapes, expected = (
        {path_of(p): np.shape(leaf) for p, leaf in jax.tree_util.tree_leaves_with_path(t)}
        for t in (tree, params)
    )
    missing = [key for key in expected if key not in shapes]
    others = [key for key in shapes if key not in expected]
    if missing or others:
        what = f"lacks `{missing[0]}`" if missing else f"has `{others[0]}`, which they lack"
        raise UserError(f"`{name}` is not a tree like the parameters: it {what}")
    for key, shape in expected.items():
        if shapes[key] != shape:
            message = f"`{name}` has the shape {shapes[key]} at `{key}`, the parameters {shape}"
            raise UserError(message)


def _filter_axes(point: TrainedPoint, params: PyTree, base: Model | None) -> PyTree:
    """Returns the filter axis of each array that moves, None for the others."""
    if base is not None and point.filter_axes is None:
        axes = base.filter_axes(jax.eval_shape(base.init, jax.random.key(0)))
    elif point.filter_axes is None or isinstance(point.filter_axes, str):
        if point.filter_axes not in (None, "first", "last"):
            message = f'`filter_axes` is {point.filter_axes!r}, expected "first" or "last"'
            raise UserError(message, hint=_AXES_HINT)
        try:
            return chosen_filter_axes(params, {}, point.filter_axes)
        except UserError as error:
            raise UserError(error.message, hint=_AXES_HINT) from None
    elif callable(point.filter_axes) and jax.tree_util.all_leaves([point.filter_axes]):
        # A tree of axes that is a module of Equinox can be called, but is no leaf.
        whole = _merged(params, _arrays(point.params, "params", base))
        axes = chosen_filter_axes(whole, {}, point.filter_axes)
    else:
        axes = point.filter_axes
    # None has no structure of its own, so the axes of biases and constants are told by their paths.
    axis_at = {path_of(path): axis for path, axis in jax.tree_util.tree_leaves_with_path(axes)}
    paths = {path_of(path) for path, _ in jax.tree_util.tree_leaves_with_path(point.params)}
    unknown = [name for name in axis_at if name not in paths]
    if unknown and base is None:
        message = f"`filter_axes` has an axis for `{unknown[0]}`, which the parameters lack"
        raise UserError(message, hint=nearest(unknown[0], sorted(paths)))
    masked = jax.tree_util.tree_map_with_path(lambda path, _: axis_at.get(path_of(path)), params)
    return chosen_filter_axes(params, {}, lambda _: masked)
