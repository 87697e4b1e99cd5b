"""The JSON files of a run and of an experiment: one record per file, for writer and reader alike.

The fields are the keys. `docs/file_formats.md` is generated from this module and `audit_records`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_serializer, model_validator

from landscape.storage.schema import Number, Value, Vector, record


def _run_id(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*", name):
        raise ValueError(f"`{name}` is not a valid run id")
    return name


# The name of a run's folder; never a path that leads out of the experiment.
RunId = Annotated[str, AfterValidator(_run_id)]
# `plan.json` of an experiment: the ids of its runs, in the order of the config.
Plan = tuple[RunId, ...]


@record
class FileDigest:
    """The content of a file when the status was written."""

    bytes: int
    """Size in bytes."""
    sha256: str
    """SHA-256 of the content, hexadecimal."""


@record
class StatusRecord:
    """`status.json` of a run, written last."""

    status: str
    """`done`, `diverged` or `failed`; `trained` until the measurements are stored."""
    files: Mapping[str, FileDigest] | None = None
    """Digest of every other lasting file, by name; missing in folders of earlier versions."""
    reason: str | None = None
    """Why the run failed, such as `time limit`; missing if its own code raised."""

    @model_serializer(mode="wrap")
    def _without_missing(self, handler: Any) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


@record
class ProgressRecord:
    """`progress.json` of a run, present while the run is under way."""

    stage: str
    """`starting`, `train`, `curvature`, `slices` or `audit`."""
    worker: str
    """Name of the worker that performs the run; empty without workers."""
    pid: int
    """Process id."""
    host: str
    """Host name."""
    step: int | None = None
    """Step of training recorded last; missing outside of training."""
    steps: int | None = None
    """Steps of the whole training."""
    steps_per_second: float | None = None
    """Mean speed since the first recorded step."""

    @model_serializer(mode="wrap")
    def _without_missing(self, handler: Any) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}


@record
class Holder:
    """`held.json` of an experiment: the process that works on the folder, while it does."""

    host: str
    """Host name."""
    pid: int
    """Process id."""
    since: str
    """Local time with its offset from UTC."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@record
class MetaRecord:
    """`meta.json` of a run: how and where it was made. No result depends on it."""

    started: str = ""
    """UTC, ISO 8601."""
    seconds: Mapping[str, Number] = field(default_factory=dict)
    """Wall-clock seconds per stage: `train`, `curvature`, `slices`, `audit`."""
    device: str = ""
    """Platform and kind of the first device."""
    devices: int | None = None
    """Number of local devices."""
    machine: str = ""
    """Operating system and processor."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Version of Python and of the packages that numbers depend on."""
    git: str | None = None
    """Revision of the config's work tree, with a + if it has changes."""
    trained_together: int | None = None
    """Number of runs that were trained side by side in one program, this one included."""
    side_by_side: int | None = None
    """Number of points of a slice that were evaluated at once; null without slices."""


@record
class Check:
    """One comparison of two ways to compute the same number."""

    name: str
    """What was compared, such as `center` or `lanczos`."""
    where: str
    """The point, with the operator or the set of slices: `trained/lines/random`."""
    passed: bool | None
    """Null if the check is undecided."""
    value: Number
    """The number that is checked; NaN if it is undefined, like the two below."""
    expected: Number
    """The same number by the other way."""
    tolerance: Number
    """Largest difference that passes."""
    message: str
    """The comparison as a sentence."""


@record
class OutcomeRecord:
    """How a run ended, and what it was about."""

    status: str
    """`done` or `diverged`."""
    primary_metric: str
    """The metric that decides, a column of the trace."""
    higher_is_better: Mapping[str, bool]
    """Direction of each metric."""
    diverged_step: int | None = None
    """Step at which training diverged; null if it did not."""
    task: str = ""
    """Task of the dataset."""
    metrics: tuple[str, ...] = ()
    """All metrics of the task, columns of the trace."""
    parameters: int | None = None
    """N, the number of parameters."""
    training_examples: int | None = None
    """Number of training examples."""


@record
class SummaryRecord(OutcomeRecord):
    """`summary.json` of a run."""

    checks: tuple[Check, ...] = ()
    """Comparisons of the run's own numbers."""


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

    parameters: int
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
    probes: int = 0
    """Number of random probes."""

    @model_validator(mode="after")
    def _same_length(self) -> "DensityRecord":
        return _equally_long(self, self.eigenvalue, self.mean, self.low, self.high)


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
    iterations: int | None = None
    """Lanczos iterations, at most N."""
    layers: Mapping[str, LayerTraceRecord] = field(default_factory=dict)
    """Trace per layer, by the layer's name."""

    @property
    def residual(self) -> float:
        """The largest finite residual of both ends; NaN if there is none."""
        residuals = self.largest_residuals + self.smallest_residuals
        return max(filter(math.isfinite, residuals), default=math.nan)


@record
class OmittedOperator:
    """A matrix that was requested but has no meaning for the loss."""

    reason: str
    """Why it was left out."""


def _operator_kind(value: Any) -> str:
    omitted = "reason" in value if isinstance(value, dict) else isinstance(value, OmittedOperator)
    return "omitted" if omitted else "spectrum"


Operator = Annotated[
    Annotated[OperatorRecord, Tag("spectrum")] | Annotated[OmittedOperator, Tag("omitted")],
    Discriminator(_operator_kind),
]


@record
class CurvaturePoint:
    """Curvature of the risk on the evaluation set at one point of training."""

    place: str
    """`trained`, `initial` or `checkpoint`."""
    step: int
    """Step of training at the point."""
    parameters: int
    """N, the number of parameters."""
    squared_norm: Number
    """Squared Euclidean norm of the parameters."""
    risk: Number
    """Mean loss over the evaluation set."""
    drop: Number
    """Initial risk minus trained risk; NaN if that is not positive."""
    operators: Mapping[str, Operator]
    """By name: `hessian`, `gauss_newton`."""

    @property
    def spectra(self) -> dict[str, OperatorRecord]:
        """The operators that were computed, by name."""
        items = self.operators.items()
        return {name: item for name, item in items if isinstance(item, OperatorRecord)}

    @property
    def reasons(self) -> dict[str, str]:
        """Why the other operators were omitted, by name."""
        items = self.operators.items()
        return {name: item.reason for name, item in items if isinstance(item, OmittedOperator)}


@record
class LossSmoothness:
    """Smoothness of the loss in its prediction, by the audit."""

    value: str | None
    """`smooth`, `C2`, `C1`, `C0` or `discontinuous`; null if unknown."""
    how: str | None
    """`proved` or `measured`."""


@record
class CurvatureRecord:
    """`curvature.json` of a run."""

    points: tuple[CurvaturePoint, ...]
    """The ends of training, then the checkpoints."""
    twice_differentiable: bool | None = None
    """Whether the loss has second derivatives everywhere; null if unknown."""
    note: str = ""
    """A caution for readers of the Hessian; empty if there is none."""
    convex: bool | None = None
    """Whether the loss is convex in its prediction; null if unknown."""
    smoothness: LossSmoothness | None = None
    """What `twice_differentiable` rests on."""

    def at(self, place: str) -> CurvaturePoint | None:
        """Returns the first point of that place."""
        return next((point for point in self.points if point.place == place), None)


@record
class SolutionRecord:
    """A trained point under the losses of all runs that share its seed and start."""

    run: str
    """Run id."""
    seed: int
    """Seed of the run."""
    metric: Number
    """The primary metric on the evaluation set."""
    risks: Mapping[str, Number]
    """Risk of the trained point under the loss of each run, by run id."""
    initial: Mapping[str, Number]
    """Risk of the initial point, likewise."""
    loss: str = ""
    """Label of the run's loss."""
    swept: Mapping[str, Value] = field(default_factory=dict)
    """Swept values of the run, by dotted key."""


@record
class InterpolationRecord:
    """The straight line between two trained points, under the losses of both ends."""

    kind: str
    """`seeds`: two seeds of one loss; `losses`: two losses from one start."""
    from_run: Annotated[str, Field(alias="from")]
    """Run id of the end at coordinate 0."""
    to_run: Annotated[str, Field(alias="to")]
    """Run id of the end at coordinate 1."""
    coordinates: Annotated[Vector, Field(min_length=2)]
    """Positions on the line, from 0 to 1."""
    metric: Vector
    """The primary metric at each position, the mean over the evaluation sets of both ends."""
    risks: Mapping[str, Vector]
    """Risk at each position under the loss and on the evaluation set of either end, by run id."""
    drops: Mapping[str, Number]
    """Initial risk minus trained risk of either end, by run id; NaN if that is not positive."""
    from_loss: str = ""
    """Label of the loss of the first end."""
    to_loss: str = ""
    """Label of the loss of the other end."""
    from_seed: int | None = None
    """Seed of the first end."""
    to_seed: int | None = None
    """Seed of the other end."""
    swept: Mapping[str, Value] = field(default_factory=dict)
    """Swept values of both runs, by dotted key."""

    @model_validator(mode="after")
    def _same_length(self) -> "InterpolationRecord":
        return _equally_long(self, self.coordinates, self.metric, *self.risks.values())

    @property
    def runs(self) -> tuple[str, str]:
        return self.from_run, self.to_run


@record
class CrossRunRecord:
    """`across.json` of an experiment: what was measured between its runs."""

    metric: str
    """The primary metric."""
    solutions: tuple[SolutionRecord, ...]
    """Every solution under every loss."""
    interpolations: tuple[InterpolationRecord, ...]
    """Lines between solutions."""
    problems: tuple[str, ...] = ()
    """What could not be measured, and why."""
    key: str | None = None
    """Identifies the settings and the runs behind the file; null if there are problems."""


def _equally_long(owner: Any, *columns: Vector) -> Any:
    if len({len(column) for column in columns}) > 1:
        raise ValueError("the columns differ in length")
    return owner
