"""A point in parameter space with lazily computed measurements."""

import functools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.config import Run
from landscape.errors import UserError
from landscape.numerics import curvature
from landscape.numerics.example_stream import ExampleStream
from landscape.numerics.risk import Examples
from landscape.parts.directions import Point
from landscape.run.program import Program
from landscape.run.slice_progress import SliceProgress
from landscape.run.training_inputs import seed_key

PyTree = Any


class Training(NamedTuple):
    """The result of training: both ends of the path, its last step, checkpoints, and the trace.

    `best` are the parameters at the recorded step with the best primary metric.
    `checkpoints` has a leading axis; checkpoint i was taken after `checkpoint_steps[i]` updates.
    `states` holds the state of the model that belongs to each: `initial`, `trained`, `best`,
    `checkpoints`; it is empty for a model without one. Of a point that was trained elsewhere,
    `initial`, `update` and `best` are None if they are not known, the trace has a row per end, and
    the only state is that of `trained`.
    """

    initial: PyTree
    trained: PyTree
    update: PyTree
    best: PyTree
    checkpoints: PyTree
    checkpoint_steps: np.ndarray
    trace: dict[str, np.ndarray]
    diverged_step: int | None
    states: Mapping[str, PyTree] = MappingProxyType({})

    def risk(self, end: str) -> float:
        """Returns the recorded risk on the evaluation set at an end of the path."""
        return float(self.trace["risk/evaluation"][-1 if end == "trained" else 0])

    @property
    def drop(self) -> float:
        """The decrease of the risk by training: the unit of every rise."""
        return self.risk("initial") - self.risk("trained")


class MeasuredPoint:
    """A point of a run and its measurements, each computed once, on first use.

    Its parameters are those of the `end` of training, `trained` or `initial`, or those of the
    checkpoint of a number. The state of the model is the one that belongs to them. The `examples`
    are in memory or stream from the host; then slices measure the risk alone.
    """

    def __init__(
        self,
        run: Run,
        program: Program,
        training: Training,
        examples: Examples | ExampleStream,
        end: str,
        checkpoint: int | None = None,
        slice_progress: SliceProgress | None = None,
    ) -> None:
        self.run, self.program, self.training, self.end = run, program, training, end
        name = end if checkpoint is None else "checkpoints"
        params, state = getattr(training, name), training.states.get(name)
        if checkpoint is not None:
            params, state = jax.tree.map(lambda leaf: leaf[checkpoint], (params, state))
        if state is None:  # a point that was trained elsewhere has one state
            state = training.states.get("trained")
        self.params = params
        self.examples: Any = examples._replace(state=state)
        self.slice_progress = slice_progress
        self.extremes = functools.cache(self._extremes)

    @functools.cached_property
    def risk(self) -> float:
        """The risk at the point, computed independently of slices: as recorded, if it was."""
        settings = self.run.slices
        if settings is None or settings.batch_statistics == "frozen":
            return self.training.risk(self.end)
        instruments = self.program.instruments
        return float(instruments.risk(self.program.loss, self.params, self.examples))

    @functools.cached_property
    def gradient(self) -> PyTree:
        """The gradient of the risk on the evaluation set."""
        gradient = self.program.instruments.gradient
        return gradient(self.program.loss, self.params, self.examples)

    @functools.cached_property
    def center(self) -> dict[str, Any]:
        """Risk and metrics at the point itself."""
        line = self.measure_along((self.params,), np.zeros((1, 1), np.float32))
        return {name: values[0] for name, values in line.items()}

    def _extremes(self, operator: str) -> curvature.Extremes:
        """Computes extreme eigenpairs of an operator at the point."""
        return self._scaled_extremes(operator, jax.tree.map(jnp.ones_like, self.params))

    def adaptive_sharpness(self, operator: str) -> float:
        """Computes the largest eigenvalue of |θ| H |θ|; see `curvature.scaled`."""
        extremes = self._scaled_extremes(operator, jax.tree.map(jnp.abs, self.params))
        return float(extremes.largest[0])

    def _scaled_extremes(self, operator: str, scale: PyTree) -> curvature.Extremes:
        key = seed_key(self.run.seed, "lanczos")
        spectrum = self.program.instruments.spectra[operator]
        return spectrum.extremes(self.program.loss, scale, key, self.params, self.examples)

    @functools.cached_property
    def direction_point(self) -> Point:
        """The point as directions receive it."""
        training, trained = self.training, self.end == "trained"
        return Point(
            params=self.params,
            filter_axes=self.program.model.filter_axes(self.params),
            gradient=lambda: self.gradient,
            eigenvector=self._eigenvector,
            update=training.update if trained else None,
            path=training.checkpoints if len(training.checkpoint_steps) else None,
            target=training.initial if trained else training.trained,
        )

    def _eigenvector(self, side: str, index: int) -> PyTree:
        pairs = self.extremes("hessian")
        values = pairs.largest if side == "largest" else pairs.smallest
        if index > len(values):
            raise UserError(
                f"eigenvector {index} was requested, but only {len(values)} are available",
                hint=f"use an `index` of at most {len(values)}",
            )
        vectors = pairs.largest_vectors if side == "largest" else pairs.smallest_vectors
        return jax.tree.map(lambda leaf: leaf[index - 1], vectors)

    def measure_along(
        self, directions: tuple[PyTree, ...], coordinates: np.ndarray, origin: PyTree = None
    ) -> dict[str, np.ndarray]:
        """Measures risk and metrics at `origin + sum(c_i * d_i)`, by default from the point."""
        slices = self.measure_slices([directions], coordinates, origin)
        return {name: values[0] for name, values in slices.items()}

    def measure_slices(
        self, slices: Sequence[tuple[PyTree, ...]], coordinates: np.ndarray, origin: PyTree = None
    ) -> dict[str, np.ndarray]:
        """Same as `measure_along` for K tuples of directions; values have a leading axis K."""
        params = self.params if origin is None else origin
        loss, instruments = self.program.loss, self.program.instruments
        if instruments.streamed is None:
            return instruments.slice(loss, params, slices, coordinates, self.examples)
        assert self.slice_progress is not None
        table = self.slice_progress.next_table(len(slices), len(coordinates))
        arguments = params, slices, np.asarray(coordinates), self.examples, table
        measure = instruments.streamed.slice
        return {"risk": measure(loss, *arguments, self.slice_progress.watcher).risk}
