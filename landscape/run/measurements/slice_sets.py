"""The sets of lines and planes of a run, at one point."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape import catalog
from landscape.config import COMPUTED, DirectionPart, Lines, Planes
from landscape.numerics import slices
from landscape.numerics.auto_radius import find_radius
from landscape.parts.directions import Point
from landscape.run.measurements.measured_point import MeasuredPoint
from landscape.run.measurements.training_path import path_on_plane
from landscape.run.program import seed_key

PyTree = Any


class Slice(NamedTuple):
    """A set of lines or planes: its arrays by name, its directions, and how far it goes."""

    where: str
    arrays: dict[str, Any]
    directions: list[PyTree]
    radius: float

    @property
    def center(self) -> float:
        """The risk at coordinate zero, which every line and plane has in its middle."""
        first = self.arrays["risk"][0]
        return float(first[tuple(size // 2 for size in first.shape)])


def slice_sets(around: MeasuredPoint) -> Iterator[Slice]:
    """Every set of lines and planes of the run at one point, in the config's order."""
    asked = around.run.slices
    if asked is None:
        return
    for label, lines in zip(asked.line_labels(), asked.lines or (), strict=True):
        yield _lines(around, label, lines, lines.direction or asked.direction)
    for label, planes in zip(asked.plane_labels(), asked.planes or (), strict=True):
        yield _planes(around, label, planes, planes.axes or (asked.direction,) * 2)


def _lines(around: MeasuredPoint, label: str, asked: Lines, direction: DirectionPart) -> Slice:
    count = asked.draws(direction)
    draw = catalog.build("directions", direction, folder=around.run.folder)()
    keys = _keys(around.run.seed, "line directions", count)
    directions = [draw(key, around.point) for key in keys]
    radius, found = _radius(around, asked, directions)
    coordinates = slices.axis(asked.points, radius)
    measured = [around.along((d,), coordinates[:, None]) for d in directions]
    arrays = {"coordinates": coordinates} | _stacked(measured)
    if direction.name not in COMPUTED:
        arrays["keys"] = np.asarray(jax.random.key_data(keys))
    arrays |= {"cosine": slices.cosines(directions), "norm": _norms(directions)}
    return Slice(f"{around.at}/lines/{label}", arrays | found, directions, radius)


def _planes(
    around: MeasuredPoint, label: str, asked: Planes, axes: tuple[DirectionPart, ...]
) -> Slice:
    folder = around.run.folder
    makes = [catalog.build("directions", axis, folder=folder)() for axis in axes]
    draws = 1 if all(axis.name in COMPUTED for axis in axes) else asked.draws or 1
    keys = _keys(around.run.seed, "plane directions", 2 * draws)
    pairs = [
        _pair(around.point, axes, makes, keys[2 * draw : 2 * draw + 2]) for draw in range(draws)
    ]
    directions = [direction for pair in pairs for direction in pair]
    radius, found = _radius(around, asked, directions)
    grid = slices.grid(asked.points, radius)
    arrays: dict[str, Any] = {"x": grid.x, "y": grid.y}
    measured = [around.along(pair, grid.points) for pair in pairs]
    if asked.eigenvalues is not None:
        bend = around.program.instruments.eigenvalues(asked.eigenvalues)
        points = jnp.asarray(grid.points)
        extra = [bend(around.params, pair, points, around.examples) for pair in pairs]
        measured = [m | e for m, e in zip(measured, extra, strict=True)]
    arrays |= {
        name: values.reshape(draws, *grid.shape) for name, values in _stacked(measured).items()
    }
    if any(axis.name not in COMPUTED for axis in axes):
        arrays["keys"] = np.asarray(jax.random.key_data(keys)).reshape(draws, 2, -1)
    arrays["cosine"] = np.stack([slices.cosine(*pair) for pair in pairs])
    arrays["norm"] = _norms(directions).reshape(draws, 2)
    if any(axis.name == "trajectory" for axis in axes) and around.at == "trained":
        arrays |= path_on_plane(around, axes, pairs[0])
    return Slice(f"{around.at}/planes/{label}", arrays | found, directions, radius)


def _pair(
    point: Point, axes: tuple[DirectionPart, ...], makes: list[Any], keys: jax.Array
) -> tuple[PyTree, PyTree]:
    """Both directions of a plane; `random` comes last, at right angles to the other one."""
    order = (1, 0) if axes[0].name == "random" and axes[1].name != "random" else (0, 1)
    first = makes[order[0]](keys[order[0]], point)
    second = makes[order[1]](keys[order[1]], point._replace(beside=first))
    return (first, second) if order == (0, 1) else (second, first)


def _radius(
    around: MeasuredPoint, asked: Lines | Planes, directions: list[PyTree]
) -> tuple[float, dict[str, np.ndarray]]:
    """The distance to walk, and what is stored of how it was found."""
    if asked.radius != "auto":
        return asked.radius, {"radius": np.array(asked.radius, np.float32)}

    def along(coordinates: np.ndarray) -> np.ndarray:
        return np.stack([around.along((d,), coordinates[:, None])["risk"] for d in directions])

    middle = around.training.risk(around.at)
    radius, found = find_radius(along, middle, asked.rise * around.training.drop)
    radius = float(np.float32(radius))
    return radius, {"radius": np.array(radius, np.float32), "radius_found": np.array(found)}


def _norms(directions: list[PyTree]) -> np.ndarray:
    return np.stack([slices.norm(direction) for direction in directions])


def _keys(seed: int, purpose: str, count: int) -> jax.Array:
    """The keys of directions 0 to count - 1: the same draws for every loss of one seed."""
    key = seed_key(seed, purpose)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(count))


def _stacked(found: list[dict[str, jax.Array]]) -> dict[str, np.ndarray]:
    return {name: np.stack([f[name] for f in found]) for name in found[0]}
