"""A point of a run and what is known around it."""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from landscape.config import Run
from landscape.errors import UserError
from landscape.numerics import curvature
from landscape.numerics.risk import Examples
from landscape.parts.directions import Point
from landscape.run.program import Program, seed_key

PyTree = Any


class Training(NamedTuple):
    """What training left: both ends of the path, its last step, points between, and the trace.

    `checkpoints` has a leading axis, `checkpoint_steps` says after how many updates each was taken.
    """

    initial: PyTree
    trained: PyTree
    update: PyTree
    checkpoints: PyTree
    checkpoint_steps: np.ndarray
    trace: dict[str, np.ndarray]
    diverged_step: int | None

    def risk(self, at: str) -> float:
        """The recorded risk on the evaluation set at an end of the path."""
        return float(self.trace["risk/evaluation"][-1 if at == "trained" else 0])

    @property
    def drop(self) -> float:
        """How far training brought the risk down: the unit of every rise."""
        return self.risk("initial") - self.risk("trained")


class MeasuredPoint:
    """A point of a run and what is known around it, each computed once and when it is asked for.

    `params` are those of the end of training that `at` names, unless a checkpoint's are given.
    """

    def __init__(
        self,
        run: Run,
        program: Program,
        training: Training,
        examples: Examples,
        at: str,
        params: PyTree = None,
    ) -> None:
        self.run, self.program, self.examples, self.at = run, program, examples, at
        self.training = training
        self.params = getattr(training, at) if params is None else params
        self.extremes = functools.cache(self._extremes)

    @functools.cached_property
    def gradient(self) -> PyTree:
        return self.program.instruments.gradient(self.params, self.examples)

    @functools.cached_property
    def here(self) -> dict[str, Any]:
        """Risk and metrics at the point itself."""
        found = self.along((self.params,), np.zeros((1, 1), np.float32))
        return {name: values[0] for name, values in found.items()}

    def _extremes(self, operator: str) -> curvature.Extremes:
        """Extreme eigenpairs of an operator at the point."""
        key = seed_key(self.run.seed, "lanczos")
        spectrum = self.program.instruments.spectra[operator]
        return spectrum.extremes(key, self.params, self.examples)

    @functools.cached_property
    def point(self) -> Point:
        """The point as directions see it."""
        training, trained = self.training, self.at == "trained"
        return Point(
            params=self.params,
            filter_axes=self.program.model.filter_axes(self.params),
            gradient=lambda: self.gradient,
            eigenvector=self._eigenvector,
            update=training.update if trained else None,
            path=training.checkpoints if len(training.checkpoint_steps) else None,
            target=training.initial if trained else training.trained,
        )

    def _eigenvector(self, end: str, index: int) -> PyTree:
        found = self.extremes("hessian")
        values = found.largest if end == "largest" else found.smallest
        if index > len(values):
            raise UserError(
                f"eigenvector {index} was asked for, but only {len(values)} can be told apart",
                hint=f"use an `index` of at most {len(values)}",
            )
        vectors = found.largest_vectors if end == "largest" else found.smallest_vectors
        return jax.tree.map(lambda leaf: leaf[index - 1], vectors)

    def along(self, directions: tuple[PyTree, ...], coordinates: np.ndarray) -> dict[str, Any]:
        """Risk and metrics at `params + sum(c_i * d_i)`."""
        return self.program.instruments.slice(self.params, directions, coordinates, self.examples)
