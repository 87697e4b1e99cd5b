"""`audit.json` of a run: the judgment of one loss."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from pydantic import model_validator

from landscape.storage.schema import (
    Grid,
    Name,
    Natural,
    Number,
    OmitsNull,
    Text,
    Value,
    Vector,
    check_equal_lengths,
    record,
    to_plain,
)

Severity = Literal["error", "warning", "note"]
Verdict = Literal["trainable", "care", "untrainable"]
Interval = tuple[Number, Number]


@record
class Where(OmitsNull):
    """An operation in the user's source. Columns count from 1 and are missing if unknown."""

    file: Text
    """Path of the source file."""
    line: Natural
    """Line, from 1."""
    text: Text = ""
    """The line itself."""
    column: Natural | None = None
    """First column of the operation."""
    end_column: Natural | None = None
    """Column after its last one."""


@record
class Finding:
    """A reason why a loss is hard or impossible to train, or a note about it."""

    code: Name
    """Code of the finding, such as `D101`; see docs/audit_reference.md."""
    severity: Severity
    """`error`, `warning` or `note`."""
    message: Text
    """The finding and its effect on training."""
    where: Where | None = None
    """The responsible operation; null if several operations share it."""
    evidence: Mapping[Name, Value] = field(default_factory=dict)
    """Numbers from which the finding can be recomputed."""
    suggestion: Text | None = None
    """A replacement for the code."""


@record
class Property:
    """A property of the loss in its prediction."""

    value: Value
    """A number, a word, true or false, or [low, high]; null if unknown."""
    how: Literal["proved", "measured"]
    """`proved`: holds for every prediction of the domain; `measured`: sampled."""


@record
class Suspect:
    """An operation that can switch, and whether it does."""

    operation: Name
    """Name of the operation."""
    fate: Name
    """`confirmed`, `cancelled`, `unreachable`, `target only` or `inconclusive`."""
    detail: Text
    """Why."""
    where: Where | None = None
    """The operation in the source."""


@record
class CurveMark:
    """A point at which a curve or one of its derivatives jumps."""

    x: Number
    """Position on the axis of `shapes`."""
    code: Name
    """Code of the finding."""


@record
class LossCurve:
    """Value and gradient of the loss against one prediction, for one target."""

    label: Name
    """The target."""
    value: Vector
    """Loss at each x."""
    gradient: Vector
    """Derivative along the axis at each x, by automatic differentiation."""
    dead: tuple[Interval, ...] = ()
    """Intervals of x with a gradient of exactly zero above the minimum."""
    idle: tuple[Interval, ...] = ()
    """Intervals of x with a gradient of exactly zero at the minimum."""
    saturated: tuple[Interval, ...] = ()
    """Intervals of x with a gradient under 1 % of the steepest, far above the minimum."""
    marks: tuple[CurveMark, ...] = ()
    """Jumps and kinks."""


@record
class LossPlane:
    """The loss over two predictions; grids have one row per y and one column per x."""

    label: Name
    """The target."""
    x_label: Name
    """Name of the first prediction."""
    y_label: Name
    """Name of the second prediction."""
    x: Vector
    """Values of the first prediction."""
    y: Vector
    """Values of the second prediction."""
    value: Grid
    """Loss, shape (len(y), len(x))."""
    gradient_x: Grid
    """Derivative with respect to x, same shape."""
    gradient_y: Grid
    """Derivative with respect to y, same shape."""

    @model_validator(mode="after")
    def _same_shape(self) -> "LossPlane":
        for grid in (self.value, self.gradient_x, self.gradient_y):
            if len(grid) != len(self.y) or any(len(row) != len(self.x) for row in grid):
                raise ValueError("a grid does not have one row per y and one column per x")
        return self


@record
class LimitTable:
    """Difference quotients at one suspect point as the step shrinks."""

    label: Name
    """The target and the point."""
    code: Name
    """Code of the finding."""
    steps: Vector
    """Steps h."""
    left: Vector
    """(f(x) - f(x - h)) / h."""
    right: Vector
    """(f(x + h) - f(x)) / h."""
    autodiff: Number
    """The derivative at the point by automatic differentiation."""

    @model_validator(mode="after")
    def _same_length(self) -> "LimitTable":
        check_equal_lengths(self.steps, self.left, self.right)
        return self


@record
class LossShapes:
    """Data of the figure of an audit."""

    x: Vector
    """Predictions along the axis of the curves."""
    lines: tuple[LossCurve, ...]
    """One curve per target."""
    x_label: Name = ""
    """Name of the axis."""
    plane: LossPlane | None = None
    """The loss over two predictions; null if it has a single one."""
    limit: LimitTable | None = None
    """The most important suspect point; null without suspects."""

    @model_validator(mode="after")
    def _same_length(self) -> "LossShapes":
        for line in self.lines:
            check_equal_lengths(self.x, line.value, line.gradient)
        return self


@record
class Audit:
    """The judgment of one loss, activation or function; docs/audit_reference.md lists its codes."""

    loss: Name
    """Name of the loss, activation or function."""
    kind: Name
    """`loss`, `activation` or `function`."""
    task: Name | None
    """Task it was audited for; null if none."""
    domain: Name
    """Set of valid predictions: `real`, `unit`, `simplex`, `positive` or `symmetric`."""
    head: Name | None
    """The layer before the loss, such as `sigmoid`; null if not stated."""
    verdict: Verdict
    """`untrainable` with an error among the findings, `care` with a warning, else `trainable`."""
    properties: Mapping[Name, Property]
    """By name: smoothness, convex, lipschitz, curvature, range, dead_fraction, coverage."""
    findings: tuple[Finding, ...]
    """The most severe first."""
    suspects: tuple[Suspect, ...] = ()
    """Operations that can switch, and whether they do."""
    targets: Mapping[Name, Value] = field(default_factory=dict)
    """Targets that the evidence refers to."""
    notes: tuple[Text, ...] = ()
    """Tests that were not possible, and caveats."""
    aim: Name | None = None
    """What it leads predictions to: target, order, distribution, decision or none."""
    rows: int = 1
    """Number of examples audited together: more than 1 for a loss that mixes a batch."""
    library: Text | None = None
    """`PyTorch loss` or `Keras loss`, and what is constant in it; null for one of JAX."""
    shapes: LossShapes | None = None
    """Data of the figure; not part of `landscape audit --json`."""

    def codes(self) -> set[str]:
        """Returns the codes of all findings."""
        return {finding.code for finding in self.findings}

    def to_json(self, *, with_shapes: bool = False) -> dict[str, Any]:
        """Returns plain values for JSON; `with_shapes` adds the data of the figure."""
        values = to_plain(self)
        if not with_shapes:
            del values["shapes"]
        return values


@record
class FailedAudit:
    """A loss that could not be audited."""

    loss: Name
    """Name of the loss, activation or function."""
    error: Text
    """Why it could not be audited."""

    def to_json(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return to_plain(self)


AuditRecord = Audit | FailedAudit
