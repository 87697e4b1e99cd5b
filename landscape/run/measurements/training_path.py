"""The path of training on a plane."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.config import DirectionPart
from landscape.run.measurements.measured_point import MeasuredPoint

PyTree = Any


def path_on_plane(
    around: MeasuredPoint, axes: tuple[DirectionPart, ...], pair: tuple[PyTree, ...]
) -> dict[str, np.ndarray]:
    """Where the checkpoints of training lie on a plane, and the risk there and at themselves."""
    path = around.training.checkpoints
    away = jax.tree.map(lambda p, at: p - at[None], path, around.params)
    count = len(around.training.checkpoint_steps)
    flat = np.asarray(_flat(away, count), np.float64)
    basis = np.concatenate([np.asarray(_flat(d, 1), np.float64) for d in pair])
    known = np.isfinite(flat).all() and np.isfinite(basis).all()
    places = np.full((2, count), np.nan)
    if known:
        places, *_ = np.linalg.lstsq(basis.T, flat.T, rcond=None)
    off = np.linalg.norm(flat - places.T @ basis, axis=1)
    coordinates = places.T.astype(np.float32)
    projected = around.along(pair, coordinates)["risk"]
    true = _risks(around, path)
    explained = _explained(flat, basis)
    named = np.array([axis.name == "trajectory" for axis in axes])
    return {
        "path/step": around.training.checkpoint_steps,
        "path/x": coordinates[:, 0],
        "path/y": coordinates[:, 1],
        "path/risk": true,
        "path/projected_risk": np.asarray(projected),
        "path/distance": off.astype(np.float32),
        "explained": np.where(named, explained, np.nan).astype(np.float32),
    }


def _explained(path: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The share of the squared distances of a path that lies along each of two directions."""
    lengths, total = np.sum(basis**2, axis=1), np.sum(path**2)
    along = np.sum((path @ basis.T) ** 2, axis=0)
    return np.divide(along, lengths * total, out=np.full(2, np.nan), where=lengths * total > 0)


def _flat(tree: PyTree, count: int) -> jax.Array:
    return jnp.concatenate([leaf.reshape(count, -1) for leaf in jax.tree.leaves(tree)], axis=1)


def _risks(around: MeasuredPoint, path: PyTree) -> np.ndarray:
    """(C,) risk of each checkpoint."""
    start = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), path)
    found = []
    for number in range(len(around.training.checkpoint_steps)):
        there = jax.tree.map(lambda leaf, number=number: leaf[number], path)
        one = jnp.ones((1, 1), jnp.float32)
        tools = around.program.instruments
        found.append(tools.slice(start, (there,), one, around.examples)["risk"][0])
    return np.stack(found)
