"""`curvature.json` of a run: curvature of the risk at points of training."""

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import Field, model_validator

from landscape.storage.schema import (
    Name,
    Natural,
    Number,
    Text,
    Vector,
    check_equal_lengths,
    record,
)


@record
class EstimateRecord:
    """An estimate from random probes, in the units of what it estimates."""

    value: Number
    """Mean over the probes."""
    error: Number
    """Its standard error."""


@record
class LayerTraceRecord(EstimateRecord):
    """Trace of the diagonal block of one layer."""

    parameters: Annotated[Natural, Field(ge=1)]
    """Number of parameters of the layer."""


@record
class DensityRecord:
    """Density of the eigenvalues, smoothed by a Gaussian; all columns have one length."""

    eigenvalue: Vector
    """Grid of eigenvalues, in units of risk per squared parameter."""
    mean: Vector
    """Density at each, the mean over the probes; integrates to 1."""
    low: Vector
    """Lower end of the band over the probes."""
    high: Vector
    """Upper end of the band."""
    width: Number
    """Standard deviation of the Gaussian, in the units of the eigenvalues."""
    probes: Natural = 0
    """Number of random probes."""

    @model_validator(mode="after")
    def _same_length(self) -> "DensityRecord":
        check_equal_lengths(self.eigenvalue, self.mean, self.low, self.high)
        return self


@record
class OperatorRecord:
    """Spectrum of one matrix, the Hessian or the Gauss-Newton matrix, at one point."""

    largest: Annotated[Vector, Field(min_length=1)]
    """Largest eigenvalues, falling, in units of risk per squared parameter."""
    smallest: Annotated[Vector, Field(min_length=1)]
    """Smallest eigenvalues, rising."""
    trace: EstimateRecord
    """Sum of all eigenvalues."""
    frobenius: EstimateRecord
    """Square root of the sum of the squared eigenvalues."""
    density: DensityRecord
    """Spectral density by stochastic Lanczos quadrature."""
    largest_residuals: Vector = ()
    """|Hv - λv| of the eigenvectors of `largest`."""
    smallest_residuals: Vector = ()
    """|Hv - λv| of the eigenvectors of `smallest`."""
    iterations: Natural | None = None
    """Lanczos iterations, at most N."""
    layers: Mapping[Name, LayerTraceRecord] = field(default_factory=dict)
    """Trace per layer, by the layer's name."""
    eigenvalues: Vector = ()
    """All eigenvalues, rising, if the dense matrix was computed; then trace, Frobenius norm, layers
    and density are exact, with errors and probes 0."""
    adaptive_sharpness: Number | None = None
    """Largest eigenvalue of |θ| H |θ|, |θ| as a diagonal matrix, in units of risk: unchanged by a
    rescaling of ReLU units; null if not measured."""

    @property
    def residual(self) -> float:
        """The largest finite residual at either end; NaN without finite ones."""
        residuals = self.largest_residuals + self.smallest_residuals
        return max(filter(math.isfinite, residuals), default=math.nan)


@record
class OmittedOperator:
    """A matrix that was requested but has no meaning for the loss."""

    reason: Text
    """Why it was omitted."""


@record
class CurvaturePoint:
    """Curvature of the risk on the evaluation set at one point of training."""

    place: Name
    """`trained`, `initial` or `checkpoint`."""
    step: Natural
    """Step of training at the point."""
    parameters: Annotated[Natural, Field(ge=1)]
    """N, the number of parameters."""
    squared_norm: Number
    """Squared Euclidean norm of the parameters."""
    risk: Number
    """Mean loss over the evaluation set."""
    drop: Number
    """Initial risk minus trained risk; NaN if that is not positive."""
    operators: Mapping[Name, OperatorRecord | OmittedOperator]
    """By name: `hessian`, `gauss_newton`."""

    @property
    def spectra(self) -> dict[str, OperatorRecord]:
        """The spectra that were computed, by name of the operator."""
        items = self.operators.items()
        return {name: item for name, item in items if isinstance(item, OperatorRecord)}

    @property
    def reasons(self) -> dict[str, str]:
        """The reasons for omitted operators, by name."""
        items = self.operators.items()
        return {name: item.reason for name, item in items if isinstance(item, OmittedOperator)}


@record
class LossSmoothness:
    """Smoothness of the loss in its prediction, by the audit."""

    value: Name | None
    """`smooth`, `C2`, `C1`, `C0` or `discontinuous`; null if unknown."""
    how: Name | None
    """`proved` or `measured`."""


@record
class CurvatureRecord:
    """`curvature.json` of a run."""

    points: tuple[CurvaturePoint, ...]
    """The ends of training, then the checkpoints."""
    twice_differentiable: bool | None = None
    """Whether loss and model have second derivatives everywhere; null if unknown."""
    note: Text = ""
    """A caveat about the Hessian, empty without one."""
    convex: bool | None = None
    """Whether the loss is convex in its prediction; null if unknown."""
    smoothness: LossSmoothness | None = None
    """Smoothness of the loss, a part of `twice_differentiable`."""

    def at(self, place: str) -> CurvaturePoint | None:
        """Returns the first point of that place."""
        return next((point for point in self.points if point.place == place), None)
