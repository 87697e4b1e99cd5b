"""The JSON files of a run and of an experiment: one record per file, for writer and reader alike.

The fields are the keys. `docs/file_formats.md` is generated from this module, `data_records`,
`compare_records`, `map_records`, `curvature_records` and `audit_records`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from landscape.errors import printable
from landscape.storage.data_records import DataRecord
from landscape.storage.schema import (
    Name,
    Natural,
    Number,
    OmitsNull,
    Text,
    Value,
    Vector,
    check_equal_lengths,
    record,
)

# Folders of runs of one experiment, those of earlier configs included.
MOST_FOLDERS = 100_000
_LONGEST_RUN_ID = 240  # characters; file systems allow names of 255
_RUN_ID = re.compile(r"[A-Za-z0-9_=+-][A-Za-z0-9._=+-]*")


def _run_id(name: str) -> str:
    if not _RUN_ID.fullmatch(name) or len(name) > _LONGEST_RUN_ID:
        raise ValueError(f"`{printable(name[:_LONGEST_RUN_ID])}` is not a valid run id")
    return name


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        name, count = Counter(names).most_common(1)[0]
        raise ValueError(f"it lists the run `{name}` {count} times")
    return names


# The name of a run's folder; never a path that leads out of the experiment.
RunId = Annotated[str, AfterValidator(_run_id)]
# `plan.json` of an experiment: the ids of its runs, in the order of the config.
Plan = Annotated[tuple[RunId, ...], Field(max_length=MOST_FOLDERS), AfterValidator(_unique)]


@record
class FileDigest:
    """The content of a file when the status was written."""

    bytes: Natural
    """Size in bytes."""
    sha256: Name
    """SHA-256 of the content, hexadecimal."""


@record
class ContentsRecord:
    """`contents.json` of an experiment, written last: what its folder holds."""

    files: Mapping[Name, FileDigest]
    """Digests of `experiment.yaml`, `plan.json`, `across.json`, `compare.json`, `maps.json` and of
    `status.json` of each run, by path in the folder."""


@record
class StatusRecord(OmitsNull):
    """`status.json` of a run, written last."""

    status: Name
    """`done`, `diverged` or `failed`; `trained` until the measurements are stored; `looked` if
    nothing was trained. Of a recorded training loop: `recording`, and `recorded` when it has
    ended."""
    files: Mapping[Name, FileDigest] | None = None
    """Digest of every other lasting file, by name; missing in folders of earlier versions."""
    reason: Text | None = None
    """Why the run failed, such as `time limit`; missing if its own code raised."""


@record
class ProgressRecord(OmitsNull):
    """`progress.json` of a run, present while the run is under way."""

    stage: Name
    """`starting`, `train`, `test`, `curvature`, `slices` or `audit`."""
    worker: Name
    """Name of the worker that performs the run; empty without workers."""
    pid: Natural
    """Process id."""
    host: Name
    """Host name."""
    step: Natural | None = None
    """Last recorded step of training, or how many batches streamed slices have evaluated."""
    steps: Natural | None = None
    """Steps of the whole training, or batches of the whole set of slices."""
    steps_per_second: float | None = None
    """Mean speed since the first recorded step."""


@record
class Holder:
    """`held.json` of an experiment: the process that works on the folder, while it does."""

    host: Name
    """Host name."""
    pid: Natural
    """Process id."""
    since: Name
    """Local time with its offset from UTC."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@record
class MetaRecord:
    """`meta.json` of a run: how and where it was performed. No result depends on it."""

    started: Name = ""
    """UTC, ISO 8601."""
    seconds: Mapping[Name, Number] = field(default_factory=dict)
    """Wall-clock seconds per stage: `train`, `test`, `curvature`, `slices`, `audit`."""
    device: Name = ""
    """Platform and kind of the first device."""
    devices: Natural | None = None
    """Number of local devices."""
    machine: Name = ""
    """Operating system and processor."""
    versions: Mapping[Name, Text] = field(default_factory=dict)
    """Version of Python and of the packages that numbers depend on."""
    git: Name | None = None
    """Git revision of the folder of the config, with a + if it has changes."""
    trained_together: Natural | None = None
    """Number of runs that were trained side by side in one program, this one included."""
    side_by_side: Natural | None = None
    """Number of points of a slice that were evaluated at once; null without slices."""


@record
class Check:
    """A comparison of two methods that compute the same number."""

    name: Name
    """What was compared, such as `center` or `lanczos`."""
    where: Name
    """The point, with the operator or the set of slices: `trained/lines/random`."""
    passed: bool | None
    """Null if the check is undecided."""
    value: Number
    """The number that is checked; this and the next two are NaN if undefined."""
    expected: Number
    """The same number, computed by the other method."""
    tolerance: Number
    """Largest difference that passes."""
    message: Text
    """The comparison as a sentence."""


@record
class OutcomeRecord:
    """The outcome of a run, and the properties of its task."""

    status: Name
    """`done` or `diverged`; `looked` if nothing was trained."""
    primary_metric: Name
    """The metric by which losses are compared, a column of the trace."""
    higher_is_better: Mapping[Name, bool]
    """Whether larger values are better, by metric."""
    perfect: Mapping[Name, Number] = field(default_factory=dict)
    """Best possible value of each metric that has one."""
    diverged_step: Natural | None = None
    """Step at which training diverged; null if it did not."""
    task: Name = ""
    """Task of the dataset."""
    metrics: tuple[Name, ...] = ()
    """All metrics of the task, columns of the trace."""
    parameters: Natural | None = None
    """N, the number of parameters."""
    training_examples: Natural | None = None
    """Number of training examples."""
    best_step: Natural | None = None
    """Recorded step with the best primary metric on the evaluation set, the first if several."""
    best: Mapping[Name, Number] = field(default_factory=dict)
    """Every metric on the evaluation set at the best step."""
    test: Mapping[Name, Number] = field(default_factory=dict)
    """Every metric on the test split at the last step; this and the next six are empty or null
    unless the run is judged."""
    test_at_best: Mapping[Name, Number] = field(default_factory=dict)
    """The same at the best step."""
    test_initial: Mapping[Name, Number] = field(default_factory=dict)
    """The same at the initial point."""
    baselines: Mapping[Name, Number] = field(default_factory=dict)
    """Primary metric on the test split without training: `majority_class` predicts the commonest
    class of the training split, or pixels of a mask, `mean` the mean of its targets, and
    `untrained` is the initial model."""
    thresholds: Mapping[Name, Number] = field(default_factory=dict)
    """Threshold of the probability of class 1 at the last step, by metric with `threshold:
    validation`."""
    smallest_class: Natural | None = None
    """Number of test examples of the rarest class; null without classes."""
    test_examples: Natural | None = None
    """Number of test examples."""


@record
class SummaryRecord(OutcomeRecord):
    """`summary.json` of a run."""

    data: DataRecord | None = None
    """Splits, classes and columns; null in folders of earlier versions."""
    loss_call: Text = ""
    """How the loss is called, with its arguments by name; empty for a loss of the menu that takes
    no field of the dataset."""
    point: Text = ""
    """What was looked at, of a point that was trained elsewhere; empty for a training."""
    batch_statistics: Name | None = None
    """Batch normalization in slices and curvature: `frozen` statistics of training, or `recomputed`
    for each evaluation batch; null for a model without it."""
    checks: tuple[Check, ...] = ()
    """Comparisons of the run's own numbers."""


@record
class SolutionRecord:
    """A trained point under the losses of all runs with the same seed and initial point."""

    run: Name
    """Run id."""
    seed: Natural
    """Seed of the run."""
    metric: Number
    """The primary metric on the evaluation set."""
    risks: Mapping[Name, Number]
    """Risk of the trained point under the loss of each run, by run id."""
    initial: Mapping[Name, Number]
    """Risk of the initial point, likewise."""
    loss: Name = ""
    """Label of the run's loss."""
    swept: Mapping[Name, Value] = field(default_factory=dict)
    """Swept values of the run, by dotted key."""


@record
class InterpolationRecord:
    """The straight line between two trained points, under the losses of both ends."""

    kind: Name
    """`seeds`: two seeds of one loss; `losses`: two losses from one start."""
    from_run: Annotated[Name, Field(alias="from")]
    """Run id of the end at coordinate 0."""
    to_run: Annotated[Name, Field(alias="to")]
    """Run id of the end at coordinate 1."""
    coordinates: Annotated[Vector, Field(min_length=2)]
    """Positions on the line, from 0 to 1."""
    metric: Vector
    """The primary metric at each position, the mean over the evaluation sets of both ends."""
    risks: Mapping[Name, Vector]
    """Risk at each position under the loss and on the evaluation set of each end, by run id."""
    drops: Mapping[Name, Number]
    """Initial risk minus trained risk of each end, by run id; NaN if that is not positive."""
    from_loss: Name = ""
    """Label of the loss of the first end."""
    to_loss: Name = ""
    """Label of the loss of the second end."""
    from_seed: Natural | None = None
    """Seed of the first end."""
    to_seed: Natural | None = None
    """Seed of the second end."""
    swept: Mapping[Name, Value] = field(default_factory=dict)
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

    metric: Name
    """The primary metric."""
    solutions: tuple[SolutionRecord, ...]
    """Every solution under every loss."""
    interpolations: tuple[InterpolationRecord, ...]
    """Lines between solutions."""
    problems: tuple[Text, ...] = ()
    """Measurements that failed, with the reason."""
    key: str | None = None
    """Identifies the settings and runs of these measurements; null if there are problems."""


@record
class ReportRecord:
    """`report.json` of a report: what it was built from, written last."""

    source: Name
    """Digest of everything that the report depends on."""
    headings: tuple[Text, ...]
    """The headings of the comparison in a terminal."""
    rows: tuple[tuple[Text, ...], ...]
    """The comparison in a terminal, one row per loss."""
    unreadable: Mapping[Name, Text]
    """Why a run is omitted, by run id."""
    warnings: tuple[Text, ...] = ()
    """Reasons for caution, missing figures, and files that were changed or cannot be verified."""
    digest: Name = ""
    """SHA-256 of the other keys but `files`, hexadecimal."""
    files: Mapping[Name, FileDigest] = field(default_factory=dict)
    """Digest of every other file of the report, by its path in the folder."""
    conclusions: tuple[Text, ...] = ()
    """What may be concluded from a comparison at tuned points."""
    tuned_headings: tuple[Text, ...] = ()
    """The headings of its table in a terminal."""
    tuned_rows: tuple[tuple[Text, ...], ...] = ()
    """Its table in a terminal, one row per loss."""
