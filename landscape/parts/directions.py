"""Directions in parameter space along which the risk is sliced.

Each factory returns `direction(key, point) -> pytree like point.params`. `random` is drawn from the
key; the others are computed from the point and ignore the key. Raises UserError if an option is out
of range or the point lacks the values that a direction needs.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend.random import threefry2x32_p
from jax.flatten_util import ravel_pytree

from landscape.errors import UserError
from landscape.parts._options import check_whole

PyTree = Any

# Parameters above which arrays are drawn one by one, and how many numbers are drawn at a time.
_LARGE, _PART = 2**20, 2**16


class Point(NamedTuple):
    """A point in parameter space, with the values from which directions are computed.

    params: the point itself
    filter_axes: pytree like `params` of the filter axis of each weight, None for biases and
        normalization parameters
    gradient: `gradient()` is the gradient of the risk on the evaluation set
    eigenvector: `eigenvector(end, index)` is the unit eigenvector of the Hessian of that risk for
        its `index`-th `largest` or `smallest` eigenvalue, counted from 1
    update: the last step of the optimizer
    path: checkpoints of training, `params` with a leading axis
    target: the other end of training: the initialization for the trained point
    beside: the direction that spans a plane with the new one
    """

    params: PyTree
    filter_axes: PyTree
    gradient: Callable[[], PyTree] | None = None
    eigenvector: Callable[[str, int], PyTree] | None = None
    update: PyTree = None
    path: PyTree = None
    target: PyTree = None
    beside: PyTree = None


Direction = Callable[[jax.Array, Point], PyTree]


def random(
    *,
    normalization: Literal["filter", "layer", "whole", "none"] = "filter",
    biases: Literal["zero", "random"] = "zero",
) -> Direction:
    """Gaussian: every entry is N(0, 1), then normalized to the scale of the parameters.

    `filter`: each filter f (the incoming weights of one unit) becomes d_f ||p_f|| / ||d_f||, so
    that rescaling a ReLU layer and undoing it in the next changes no slice. Choose it to compare
    networks and losses. Source: Li et al., Visualizing the Loss Landscape of Neural Nets (2018).
    `layer`: the same per weight array. `whole`: d ||p|| / ||d|| over all parameters together.
    `none`: as drawn; a distance of 1 is then a step of about sqrt(N) in N parameters. Choose it to
    compare mean curvature with trace(H) / N.

    `biases`: `zero` keeps biases and normalization parameters fixed, the usual choice; `random`
    moves them too, each array scaled as one filter. A filter of norm zero gives a zero direction.

    On a plane, each filter (or layer, or the whole) is made orthogonal to the plane's other
    direction before it is normalized, so that orthogonality and norms hold within every filter;
    not in filters of a single weight, and not with `none`.
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        leaves, tree = jax.tree.flatten(point.params)
        axes = tuple(tree.flatten_up_to(point.filter_axes))  # type: ignore[attr-defined]
        beside = None if point.beside is None else jax.tree.leaves(point.beside)
        arguments = key, leaves, beside, axes, normalization, biases == "random"
        drawn = (
            _draw_by_array(*arguments) if _is_large(leaves, normalization) else _draw(*arguments)
        )
        return jax.tree.unflatten(tree, drawn)

    return direction


def gradient(*, normalization: Literal["whole", "none"] = "whole") -> Direction:
    """Gradient of the risk on the evaluation set: the direction of steepest ascent.

    `whole`: scaled to the norm of the parameters, comparable to `random` with `whole`. `none`: not
    scaled, so that coordinate -c is one step of gradient descent with learning rate c. Includes
    biases; zero if the gradient is. Choose it to see how far a step of gradient descent may go.
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.gradient is None:
            raise UserError("the gradient is not known at this point")
        return _scaled(point.gradient(), point.params, normalization)

    return direction


def update(*, normalization: Literal["whole", "none"] = "whole") -> Direction:
    """Last step of the optimizer: the direction of training when it ended.

    The last change of the parameters in training, including momentum, learning rate and weight
    decay. Normalization as in `gradient`; with `none`, coordinate 1 repeats that step and -1 undoes
    it. Zero if training took no step. Choose it to see whether training had converged.
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.update is None:
            raise UserError(
                "no step of the optimizer led to the initial point",
                hint="use the direction `update` with `at: [trained]`",
            )
        return _scaled(point.update, point.params, normalization)

    return direction


def eigenvector(
    *,
    index: int = 1,
    end: Literal["largest", "smallest"] = "largest",
    normalization: Literal["whole", "none"] = "whole",
) -> Direction:
    """Eigenvector of the Hessian: the sharpest direction, with `end: smallest` the most concave.

    H v = lambda v for the `index`-th largest or smallest (most negative) eigenvalue of the Hessian
    of the risk on the evaluation set, by Lanczos iteration; its sign is arbitrary. `none`: a unit
    vector. Source: Yao et al., PyHessian (2020). Choose it next to a random direction, which in N
    parameters only has the mean curvature trace(H) / N.
    """
    check_whole(1, index=index)

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.eigenvector is None:
            raise UserError("the eigenvectors are not known at this point")
        return _scaled(point.eigenvector(end, index), point.params, normalization)

    return direction


def trajectory(*, component: int = 1) -> Direction:
    """Principal component of the training path: two of them span the plane that shows it best.

    The `component`-th right singular vector of the differences of the checkpoints from the point,
    not centered, so that the point lies on every plane of components. Scaled so that the projection
    of the farthest checkpoint is at distance 1. Needs `checkpoints` in the config. Source: Li et
    al., Visualizing the Loss Landscape of Neural Nets (2018), section 7. Choose it to show the
    training path, to which random directions are nearly orthogonal.
    """
    check_whole(1, component=component)

    def direction(key: jax.Array, point: Point) -> PyTree:
        steps = 0 if point.path is None else jax.tree.leaves(point.path)[0].shape[0]
        if component > steps:
            raise UserError(
                f"component {component} of the trajectory needs as many checkpoints, found {steps}",
                hint="set `checkpoints: 20` in the config",
            )
        tree = jax.tree.map(lambda path, params: path - params[None], point.path, point.params)
        flat = jnp.concatenate([leaf.reshape(steps, -1) for leaf in jax.tree.leaves(tree)], axis=1)
        _, _, components = jnp.linalg.svd(flat, full_matrices=False)
        unit = components[component - 1]
        projections = flat @ unit
        farthest = projections[jnp.argmax(jnp.abs(projections))]
        return ravel_pytree(point.params)[1](unit * farthest)

    return direction


def interpolation() -> Direction:
    """Straight line to the other end of training: initialization at 1, trained point at 0.

    From the initial point, the line to the trained point. Source: Goodfellow, Vinyals and Saxe,
    Qualitatively Characterizing Neural Network Optimization Problems (2015). Choose it to see
    whether a barrier separates the two.
    """

    def direction(key: jax.Array, point: Point) -> PyTree:
        if point.target is None:
            raise UserError("the other end of training is not known at this point")
        return jax.tree.map(lambda end, start: end - start, point.target, point.params)

    return direction


@functools.partial(jax.jit, static_argnames=("axes", "normalization", "biases"))
def _draw(
    key: jax.Array,
    leaves: list[jax.Array],
    beside: list[jax.Array] | None,
    axes: tuple[int | None, ...],
    normalization: str,
    biases: bool,
) -> list[jax.Array]:
    moving = [i for i, axis in enumerate(axes) if axis is not None or biases]
    drawn = [jnp.zeros_like(leaf) for leaf in leaves]
    # One draw for all arrays compiles ten times faster than one per array.
    params, unravel = ravel_pytree([leaves[i] for i in moving])
    flat = jax.random.normal(key, params.shape, params.dtype)
    if normalization == "whole":
        other = None if beside is None else ravel_pytree([beside[i] for i in moving])[0]
        flat = _with_norms_of(params, flat, other, None)
    for i, array in zip(moving, unravel(flat), strict=True):
        drawn[i] = array
        if normalization in ("filter", "layer"):
            axis = axes[i] if normalization == "filter" else None
            other = None if beside is None else beside[i]
            drawn[i] = _with_norms_of(leaves[i], array, other, axis)
    return drawn


def _is_large(leaves: list[jax.Array], normalization: str) -> bool:
    """Returns whether the arrays are drawn one by one, which takes less memory.

    That is possible if each array is normalized by itself, and if JAX computes each number of a
    draw from its position alone.
    """
    size = sum(leaf.size for leaf in leaves)
    single = all(leaf.dtype == jnp.float32 for leaf in leaves)
    by_position = jax.config.jax_threefry_partitionable and size < 2**32  # type: ignore[attr-defined]
    return size > _LARGE and single and by_position and normalization != "whole"


def _draw_by_array(
    key: jax.Array,
    leaves: list[jax.Array],
    beside: list[jax.Array] | None,
    axes: tuple[int | None, ...],
    normalization: str,
    biases: bool,
) -> list[jax.Array]:
    """Same as `_draw`, with one array of temporary memory in place of four copies of all."""
    drawn, start = [], 0
    for i, (leaf, axis) in enumerate(zip(leaves, axes, strict=True)):
        if axis is None and not biases:
            drawn.append(jnp.zeros_like(leaf))
            continue
        other = None if beside is None else beside[i]
        by_filter = axis if normalization == "filter" else None
        at = np.uint32(start)
        array = _draw_array(key, at, leaf, other, by_filter, normalization != "none")
        drawn.append(jax.block_until_ready(array))
        start += leaf.size
    return drawn


@functools.partial(jax.jit, static_argnames=("axis", "normalized"))
def _draw_array(
    key: jax.Array,
    start: jax.Array,
    params: jax.Array,
    beside: jax.Array | None,
    axis: int | None,
    normalized: bool,
) -> jax.Array:
    """Draws the numbers from position `start` of `jax.random.normal`, and normalizes the array."""

    def part(number: jax.Array) -> jax.Array:
        position = start + number * _PART + jnp.arange(_PART, dtype=jnp.uint32)
        return _normal_at(key, position)

    count = -(-params.size // _PART)
    flat = jax.lax.map(part, jnp.arange(count, dtype=jnp.uint32)).reshape(-1)
    array = flat[: params.size].reshape(params.shape)
    return _with_norms_of(params, array, beside, axis) if normalized else array


def _normal_at(key: jax.Array, position: jax.Array) -> jax.Array:
    """Returns `jax.random.normal(key, (n,))[position]` in float32, for any n < 2^32."""
    first, second = jax.random.key_data(key)
    high, low = threefry2x32_p.bind(first, second, jnp.zeros_like(position), position)
    mantissa = ((high ^ low) >> np.uint32(9)) | np.uint32(0x3F800000)
    unit = jax.lax.bitcast_convert_type(mantissa, jnp.float32) - np.float32(1)
    least = np.nextafter(np.float32(-1), np.float32(0))
    uniform = jnp.maximum(least, unit * (np.float32(1) - least) + least)
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(uniform)


def _with_norms_of(
    params: jax.Array, direction: jax.Array, beside: jax.Array | None, axis: int | None
) -> jax.Array:
    """Returns `direction` with the norm of `params` in every filter, orthogonal to `beside` there.

    If `axis` is None, the whole array is one filter.
    """
    others = tuple(i for i in range(params.ndim) if i != axis)
    weights = math.prod(params.shape[i] for i in others)

    def dot(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.sum(a * b, axis=others, keepdims=True)

    if beside is not None and weights > 1:
        length = dot(beside, beside)
        for _ in range(2):  # the second time removes the rounding error of the first
            along = jnp.where(length > 0, dot(direction, beside) / length, 0)
            direction = direction - along * beside
    return direction * jnp.sqrt(dot(params, params) / dot(direction, direction))


def _scaled(direction: PyTree, params: PyTree, normalization: str) -> PyTree:
    if normalization == "none":
        return direction
    norm = optax.tree.norm(direction)
    ratio = jnp.where(norm > 0, optax.tree.norm(params) / jnp.where(norm > 0, norm, 1), 0)
    return jax.tree.map(lambda d: d * ratio, direction)
