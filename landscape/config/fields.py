"""The models of an experiment and of a run: frozen and strict."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    model_validator,
)
from pydantic_core import PydanticCustomError

from landscape.config.compare_settings import CompareSettings
from landscape.config.execution import Execution, Resources
from landscape.config.judging import check_judge
from landscape.config.limits import (
    LARGEST_INTEGER,
    LONGEST_NAME,
    LONGEST_TITLE,
    MOST_ITERATIONS,
    MOST_PARTS,
    MOST_ROWS,
    MOST_SWEPT_VALUES,
)
from landscape.config.measured import AcrossSettings, Auto, CurvatureSettings, SliceSettings
from landscape.config.parts import (
    Count,
    DatasetPart,
    Float32,
    Frozen,
    LossPart,
    MetricPart,
    ModelPart,
    NotNegative,
    OptimizerPart,
    PointPart,
    Positive,
    TaskPart,
    sentence,
)
from landscape.config.seeds import Seed, Seeds
from landscape.config.yaml_source import short_text
from landscape.errors import nearest


def _folder_name(value: str) -> str:
    if value.startswith(".") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in value):
        raise PydanticCustomError("folder_name", "a valid name of a folder")
    return value


def _bounded_sweep(sweep: dict[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    count = sum(map(len, sweep.values()))
    if count > MOST_SWEPT_VALUES:
        message = f"the sweep lists {count} values, expected at most {MOST_SWEPT_VALUES}"
        raise sentence(message, "split it into several experiments")
    return sweep


def _empty_for_null(value: Any) -> Any:
    return {} if value is None else value


Sweep = Annotated[
    dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1, strict=False)]],
    BeforeValidator(_empty_for_null),
    AfterValidator(_bounded_sweep),
]


class EvaluationSettings(Frozen):
    """The fixed examples on which curves, targets, slices and curvature are measured.

    `size` null: the whole split.
    """

    split: Literal["validation", "test", "train"] = "validation"
    size: Count | None = None
    batch_size: Count = 512


class GradientSettings(Frozen):
    """Thresholds for dead, vanishing and exploding gradients.

    A gradient is zero if its magnitude is at most `absolute`, or `relative` times the largest. It
    vanishes if its mean magnitude is below `vanishing`, and explodes if its global norm is above
    `exploding`.
    """

    absolute: NotNegative = 0.0
    relative: Annotated[float, Field(ge=0, lt=1)] = 0.0
    vanishing: NotNegative = 1e-7
    exploding: Positive = 1e3


Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
# The step of training whose parameters are judged: the last, or the best on the evaluation split.
Stop = Literal["last", "best"]


class Experiment(Frozen):
    """One YAML file: dataset, model, optimizer, candidate losses, seeds and measurements.

    Paths and user code are looked up in `folder`, by default that of the file; `name` is the folder
    of results, by default the name of the file. `task`: what predictions and targets are; null:
    that of the dataset. `stop`: the step that counts, the last one or the one with the best primary
    metric on the evaluation split. `judge_by`: the metric by which losses are compared, the primary
    one; null: the first. `checkpoints`: number of parameter vectors that are saved along training,
    spread over the recorded steps. `audit`: also judge each loss without training it.
    `seeds_together`: number of runs of one program that are trained together; `auto` is 16 on a GPU
    and 1 on a CPU. `compare`: how `landscape compare` tunes and judges the losses; `landscape run`
    ignores it. `execution` and `resources`: limits and resources of runs. `point`: parameters that
    were trained elsewhere; nothing is trained then, see `landscape look`.
    """

    title: Annotated[str, Field(max_length=LONGEST_TITLE)] | None = None
    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_folder_name)] = (
        "experiment"
    )
    point: PointPart | None = None
    dataset: DatasetPart
    task: TaskPart | None = None
    model: ModelPart
    optimizer: OptimizerPart = OptimizerPart.model_construct()
    losses: Annotated[tuple[LossPart, ...], Field(min_length=1, max_length=MOST_PARTS)]
    seeds: Seeds = tuple(range(6))
    steps: Count = 600
    batch_size: Count = 64
    record_every: Count = 20
    evaluation: EvaluationSettings = EvaluationSettings.model_construct()
    gradients: GradientSettings = GradientSettings.model_construct()
    metrics: (
        Annotated[tuple[MetricPart, ...], Field(min_length=1, max_length=MOST_PARTS)] | None
    ) = None
    judge_by: Name | None = None
    target: Float32 | None = None
    stop: Stop = "last"
    targets: Literal["auto", "onehot", "labels"] = "auto"
    slices: SliceSettings | None = SliceSettings.model_construct()
    checkpoints: Annotated[int, Field(ge=0, le=MOST_ITERATIONS)] = 0
    curvature: CurvatureSettings | None = None
    across: AcrossSettings | None = None
    audit: bool = False
    compare: CompareSettings | None = None
    seeds_together: Auto = "auto"
    execution: Execution = Execution.model_construct()
    resources: Resources = Resources.model_construct()
    sweep: Sweep = Field(default_factory=dict)
    folder: Path = Path()

    @model_validator(mode="after")
    def _check_measurements(self) -> "Experiment":
        _check_length(self.steps, self.batch_size, self.record_every)
        if self.point is None:
            _check_checkpoints(self.checkpoints, self.slices, self.curvature)
        elif len(self.seeds) > 1:
            message = f"`seeds` lists {len(self.seeds)} seeds, but a point is looked at once"
            raise sentence(message, "use one: it selects the random directions", "seeds")
        return self

    @model_validator(mode="after")
    def _check_metrics(self) -> "Experiment":
        check_judge(self.judge_by, self.metrics)
        return self

    @model_validator(mode="after")
    def _check_reference(self) -> "Experiment":
        labels = [loss.label for loss in self.losses]
        name = None if self.compare is None else self.compare.reference
        if name is not None and name not in labels:
            message = f"`compare.reference`: found {name!r}, expected one of the losses"
            raise sentence(message, nearest(name, labels), "compare")
        return self


def _check_length(steps: int, batch_size: int, record_every: int) -> None:
    """Raises an error if training records too many rows, or visits too many examples."""
    rows, visits = steps // record_every + 1, (steps + 1) * batch_size
    if rows > MOST_ROWS:
        message = f"{steps} steps recorded every {record_every} are {rows} rows of a table"
        hint = f"expected at most {MOST_ROWS}; set `record_every: {-(-steps // MOST_ROWS) + 1}`"
        raise sentence(message, hint, "steps")
    if visits > LARGEST_INTEGER:
        message = f"{steps} steps of {batch_size} examples are {visits} numbers of examples"
        raise sentence(message, f"expected at most {LARGEST_INTEGER}; use fewer `steps`", "steps")


def _check_checkpoints(
    checkpoints: int, slices: SliceSettings | None, curvature: CurvatureSettings | None
) -> None:
    """Raises an error if a measurement along training needs more checkpoints."""
    for direction in slices.directions() if slices is not None else ():
        component = direction.options.get("component", 1)
        if direction.name != "trajectory" or not isinstance(component, int):
            continue
        if checkpoints <= component:
            raise sentence(
                f"component {component} of the trajectory needs more than {component} checkpoints, "
                f"found `checkpoints: {checkpoints}`",
                "set `checkpoints: 20`",
                "checkpoints",
            )
    if curvature is not None and curvature.checkpoints and checkpoints == 0:
        message = "`curvature.checkpoints` is true, but no checkpoints are saved"
        raise sentence(message, "set `checkpoints: 5`", "curvature")


class Run(Frozen):
    """One training: one loss, one seed, one point of the sweep, with all defaults filled in.

    `id` names the run and depends on everything that affects its training: options, seed, the text
    of the user's code, the content of data files; not on title, label, folder, slices, curvature or
    audit. `measurement` is the digest of everything that affects the measurements afterwards.
    `judged`: whether the test split is measured, once, after training. `stop` as in `Experiment`.
    With a `point` nothing is trained: it is looked at.
    """

    id: str
    loss: LossPart
    seed: Seed
    swept: dict[str, JsonValue]
    point: PointPart | None = None
    dataset: DatasetPart
    task: TaskPart | None = None
    model: ModelPart
    optimizer: OptimizerPart
    steps: Count
    batch_size: Count
    record_every: Count
    evaluation: EvaluationSettings
    gradients: GradientSettings
    metrics: tuple[MetricPart, ...] | None
    judge_by: Name | None = None
    target: Float32 | None = None
    targets: Literal["auto", "onehot", "labels"]
    slices: SliceSettings | None
    checkpoints: Annotated[int, Field(ge=0, le=MOST_ITERATIONS)] = 0
    curvature: CurvatureSettings | None = None
    audit: bool = False
    judged: bool = False
    stop: Stop = "last"
    measurement: str
    folder: Path

    @model_validator(mode="after")
    def _check_length(self) -> "Run":
        _check_length(self.steps, self.batch_size, self.record_every)
        return self

    @property
    def label(self) -> str:
        """The name of the run in progress messages: loss, swept values and seed."""
        swept = [f"{key}={short_text(value)}" for key, value in self.swept.items()]
        return ", ".join([self.loss.label, *swept, f"seed {self.seed}"])
