"""The sets of lines and planes of a run, at one point."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape import catalog
from landscape.config import COMPUTED, DirectionPart, Lines, Planes
from landscape.numerics import slices
from landscape.numerics.auto_radius import find_radius
from landscape.numerics.example_stream import ExampleStream
from landscape.parts.directions import Direction, Point
from landscape.run.measurements.measured_point import MeasuredPoint
from landscape.run.measurements.training_path import path_on_plane
from landscape.run.training_inputs import seed_key

PyTree = Any


class SliceSet(NamedTuple):
    """A set of lines or planes: its arrays by name, its directions, and its radius."""

    where: str
    arrays: dict[str, Any]
    directions: Sequence[PyTree]
    radius: float

    @property
    def center(self) -> float:
        """The risk at coordinate zero, which is in the middle of every line and plane."""
        first = self.arrays["risk"][0]
        return float(first[tuple(size // 2 for size in first.shape)])


def slice_sets(point: MeasuredPoint) -> Iterator[SliceSet]:
    """Yields every set of lines and planes of the run at one point, in the config's order."""
    settings = point.run.slices
    if settings is None:
        return
    for label, lines in zip(settings.line_labels(), settings.lines or (), strict=True):
        yield _lines(point, label, lines, lines.direction or settings.direction)
    for label, planes in zip(settings.plane_labels(), settings.planes or (), strict=True):
        yield _planes(point, label, planes, planes.axes or (settings.direction,) * 2)


def _lines(point: MeasuredPoint, label: str, settings: Lines, spec: DirectionPart) -> SliceSet:
    count = settings.draws(spec)
    direction = catalog.build("directions", spec, folder=point.run.folder)()
    keys = _keys(point.run.seed, "line directions", count)
    directions = _each(point, count, lambda i: direction(keys[i], point.direction_point))
    radius, radius_arrays = _radius(point, settings, directions)
    coordinates = slices.axis(settings.points, radius)
    lines = _each(point, count, lambda i: (directions[i],))
    measured = point.measure_slices(lines, coordinates[:, None])
    arrays = {"coordinates": coordinates} | measured
    if spec.name not in COMPUTED:
        arrays["keys"] = np.asarray(jax.random.key_data(keys))
    arrays |= {"cosine": slices.cosines(directions), "norm": _norms(directions)}
    return SliceSet(f"{point.end}/lines/{label}", arrays | radius_arrays, directions, radius)


def _planes(
    point: MeasuredPoint, label: str, settings: Planes, axes: tuple[DirectionPart, ...]
) -> SliceSet:
    draws = 1 if all(axis.name in COMPUTED for axis in axes) else settings.draws or 1
    keys = _keys(point.run.seed, "plane directions", 2 * draws)
    pair = _pair_maker(point, axes, keys)
    pairs = _each(point, draws, pair)
    directions = _each(point, 2 * draws, lambda i: pairs[i // 2][i % 2])
    radius, radius_arrays = _radius(point, settings, directions)
    grid = slices.grid(settings.points, radius)
    measured = [_plane_measures(point, settings, pair, grid) for pair in pairs]
    arrays: dict[str, Any] = {"x": grid.x, "y": grid.y}
    arrays |= {
        name: values.reshape(draws, *grid.shape) for name, values in _stacked(measured).items()
    }
    if any(axis.name not in COMPUTED for axis in axes):
        arrays["keys"] = np.asarray(jax.random.key_data(keys)).reshape(draws, 2, -1)
    arrays["cosine"] = np.stack([slices.cosine(*pair) for pair in pairs])
    arrays["norm"] = _norms(directions).reshape(draws, 2)
    if any(axis.name == "trajectory" for axis in axes) and point.end == "trained":
        arrays |= path_on_plane(point, axes, pairs[0])
    return SliceSet(f"{point.end}/planes/{label}", arrays | radius_arrays, directions, radius)


def _plane_measures(
    point: MeasuredPoint, settings: Planes, pair: tuple[PyTree, PyTree], grid: slices.Grid
) -> dict[str, Any]:
    measures = point.measure_along(pair, grid.points)
    if settings.eigenvalues is None:
        return measures
    eigenvalues = point.program.instruments.eigenvalues(settings.eigenvalues)
    arguments = point.params, pair, jnp.asarray(grid.points), point.examples
    return measures | eigenvalues(point.program.loss, *arguments)


def _pair_maker(
    point: MeasuredPoint, axes: tuple[DirectionPart, ...], keys: jax.Array
) -> Callable[[int], tuple[PyTree, PyTree]]:
    """Returns a function from the number of a plane to its directions, in the order of its axes."""
    folder = point.run.folder
    makes = [catalog.build("directions", axis, folder=folder)() for axis in axes]

    def pair(number: int) -> tuple[PyTree, PyTree]:
        pair_keys = keys[2 * number : 2 * number + 2]
        return _direction_pair(point.direction_point, axes, makes, pair_keys)

    return pair


class _Drawn(Sequence):
    """Items that are computed anew at each access, so that one of them is in memory at a time."""

    def __init__(self, count: int, make: Callable[[int], Any]) -> None:
        self._numbers, self._make = range(count), make

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: Any) -> Any:
        return self._make(self._numbers[number])


def _each(point: MeasuredPoint, count: int, make: Callable[[int], Any]) -> Sequence[Any]:
    """Returns `make(0)` to `make(count - 1)`; each computed anew if the examples are streamed."""
    drawn = _Drawn(count, make)
    return drawn if isinstance(point.examples, ExampleStream) else list(drawn)


def _direction_pair(
    point: Point, axes: tuple[DirectionPart, ...], makes: list[Direction], keys: jax.Array
) -> tuple[PyTree, PyTree]:
    """`random` is drawn last, orthogonal to the other direction."""
    if axes[0].name == "random" and axes[1].name != "random":
        second = makes[1](keys[1], point)
        return makes[0](keys[0], point._replace(beside=second)), second
    first = makes[0](keys[0], point)
    return first, makes[1](keys[1], point._replace(beside=first))


def _radius(
    point: MeasuredPoint, settings: Lines | Planes, directions: Sequence[PyTree]
) -> tuple[float, dict[str, np.ndarray]]:
    """Returns the radius of a set, and the arrays that record it."""
    if settings.radius != "auto":
        return settings.radius, {"radius": np.array(settings.radius, np.float32)}

    def risks(coordinates: np.ndarray) -> np.ndarray:
        lines = _each(point, len(directions), lambda i: (directions[i],))
        return point.measure_slices(lines, coordinates[:, None])["risk"]

    center = point.training.risk(point.end)
    radius, reached = find_radius(risks, center, settings.rise * point.training.drop)
    radius = float(np.float32(radius))
    return radius, {"radius": np.array(radius, np.float32), "radius_found": np.array(reached)}


def _norms(directions: Sequence[PyTree]) -> np.ndarray:
    return np.stack([slices.norm(direction) for direction in directions])


def _keys(seed: int, purpose: str, count: int) -> jax.Array:
    """Returns the keys of directions 0 to count - 1: equal for all losses of one seed."""
    key = seed_key(seed, purpose)
    return jax.vmap(lambda number: jax.random.fold_in(key, number))(jnp.arange(count))


def _stacked(measures: list[dict[str, jax.Array]]) -> dict[str, np.ndarray]:
    return {name: np.stack([m[name] for m in measures]) for name in measures[0]}
