"""The path of training on a plane."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.config import DirectionPart
from landscape.run.measurements.measured_point import MeasuredPoint

PyTree = Any


def path_on_plane(
    point: MeasuredPoint, axes: tuple[DirectionPart, ...], directions: tuple[PyTree, ...]
) -> dict[str, np.ndarray]:
    """Projects the checkpoints onto a plane; returns coordinates, risks there, and distances.

    `risk` is that of each checkpoint, `projected_risk` that of its projection.
    """
    path = point.training.checkpoints
    offsets = jax.tree.map(lambda p, center: p - center[None], path, point.params)
    count = len(point.training.checkpoint_steps)
    flat = np.asarray(_flat(offsets, count), np.float64)
    basis = np.concatenate([np.asarray(_flat(d, 1), np.float64) for d in directions])
    solution = np.full((2, count), np.nan)
    if np.isfinite(flat).all() and np.isfinite(basis).all():
        solution, *_ = np.linalg.lstsq(basis.T, flat.T, rcond=None)
    distance = np.linalg.norm(flat - solution.T @ basis, axis=1)
    coordinates = solution.T.astype(np.float32)
    projected = point.measure_along(directions, coordinates)["risk"]
    is_trajectory = np.array([axis.name == "trajectory" for axis in axes])
    return {
        "path/step": point.training.checkpoint_steps,
        "path/x": coordinates[:, 0],
        "path/y": coordinates[:, 1],
        "path/risk": _risks(point, path),
        "path/projected_risk": np.asarray(projected),
        "path/distance": distance.astype(np.float32),
        "explained": np.where(is_trajectory, _explained(flat, basis), np.nan).astype(np.float32),
    }


def _explained(path: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Returns the share of the squared distances of a path that lies along each direction."""
    lengths, total = np.sum(basis**2, axis=1), np.sum(path**2)
    along = np.sum((path @ basis.T) ** 2, axis=0)
    return np.divide(along, lengths * total, out=np.full(2, np.nan), where=lengths * total > 0)


def _flat(tree: PyTree, count: int) -> jax.Array:
    return jnp.concatenate([leaf.reshape(count, -1) for leaf in jax.tree.leaves(tree)], axis=1)


def _risks(point: MeasuredPoint, path: PyTree) -> np.ndarray:
    """Returns the (C,) risk of each checkpoint."""
    origin = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), path)
    count = len(point.training.checkpoint_steps)
    checkpoints = [(jax.tree.map(lambda leaf, i=i: leaf[i], path),) for i in range(count)]
    unit = np.ones((1, 1), np.float32)
    return point.measure_slices(checkpoints, unit, origin)["risk"][:, 0]
