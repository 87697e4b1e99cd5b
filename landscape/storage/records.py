"""The JSON files of a run and of an experiment: one record per file, for writer and reader alike.

The fields are the keys. `docs/file_formats.md` is generated from this module, `curvature_records`
and `audit_records`.
"""

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from landscape.storage.schema import Number, OmitsNull, Value, Vector, check_equal_lengths, record


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
class StatusRecord(OmitsNull):
    """`status.json` of a run, written last."""

    status: str
    """`done`, `diverged` or `failed`; `trained` until the measurements are stored."""
    files: Mapping[str, FileDigest] | None = None
    """Digest of every other lasting file, by name; missing in folders of earlier versions."""
    reason: str | None = None
    """Why the run failed, such as `time limit`; missing if its own code raised."""


@record
class ProgressRecord(OmitsNull):
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
    """Last recorded step of training; missing outside of training."""
    steps: int | None = None
    """Steps of the whole training."""
    steps_per_second: float | None = None
    """Mean speed since the first recorded step."""


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
    """`meta.json` of a run: how and where it was performed. No result depends on it."""

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
    """Git revision of the folder of the config, with a + if it has changes."""
    trained_together: int | None = None
    """Number of runs that were trained side by side in one program, this one included."""
    side_by_side: int | None = None
    """Number of points of a slice that were evaluated at once; null without slices."""


@record
class Check:
    """A comparison of two methods that compute the same number."""

    name: str
    """What was compared, such as `center` or `lanczos`."""
    where: str
    """The point, with the operator or the set of slices: `trained/lines/random`."""
    passed: bool | None
    """Null if the check is undecided."""
    value: Number
    """The number that is checked; this and the next two are NaN if undefined."""
    expected: Number
    """The same number, computed by the other method."""
    tolerance: Number
    """Largest difference that passes."""
    message: str
    """The comparison as a sentence."""


@record
class OutcomeRecord:
    """The outcome of a run, and the properties of its task."""

    status: str
    """`done` or `diverged`."""
    primary_metric: str
    """The metric by which losses are compared, a column of the trace."""
    higher_is_better: Mapping[str, bool]
    """Whether larger values are better, by metric."""
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
class SolutionRecord:
    """A trained point under the losses of all runs with the same seed and initial point."""

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
    """Risk at each position under the loss and on the evaluation set of each end, by run id."""
    drops: Mapping[str, Number]
    """Initial risk minus trained risk of each end, by run id; NaN if that is not positive."""
    from_loss: str = ""
    """Label of the loss of the first end."""
    to_loss: str = ""
    """Label of the loss of the second end."""
    from_seed: int | None = None
    """Seed of the first end."""
    to_seed: int | None = None
    """Seed of the second end."""
    swept: Mapping[str, Value] = field(default_factory=dict)
    """Swept values of both runs, by dotted key."""

    @model_validator(mode="after")
    def _same_length(self) -> "InterpolationRecord":
        check_equal_lengths(self.coordinates, self.metric, *self.risks.values())
        return self

    @property
    def runs(self) -> tuple[str, str]:
        return self.from_run, self.to_run


@record
class CrossRunRecord:
    """`across.json` of an experiment: measurements between its runs."""

    metric: str
    """The primary metric."""
    solutions: tuple[SolutionRecord, ...]
    """Every solution under every loss."""
    interpolations: tuple[InterpolationRecord, ...]
    """Lines between solutions."""
    problems: tuple[str, ...] = ()
    """Measurements that failed, with the reason."""
    key: str | None = None
    """Identifies the settings and runs of these measurements; null if there are problems."""


@record
class ReportRecord:
    """`report.json` of a report: what it was built from, written last."""

    source: str
    """Digest of everything that the report depends on."""
    headings: tuple[str, ...]
    """The headings of the comparison in a terminal."""
    rows: tuple[tuple[str, ...], ...]
    """The comparison in a terminal, one row per loss."""
    unreadable: Mapping[str, str]
    """Why a run is omitted, by run id."""
    warnings: tuple[str, ...] = ()
    """What else is missing or doubtful."""
    files: Mapping[str, FileDigest] = field(default_factory=dict)
    """Digest of every other file of the report, by its path in the folder."""
