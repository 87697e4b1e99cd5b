"""What a config may say: frozen, strict models of an experiment and of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from landscape.catalog.menu import entries
from landscape.config.yaml_source import shown


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise PydanticCustomError("odd", "an odd number, so that the trained point is a sample")
    return value


def _unique(values: Sequence[Any]) -> Sequence[Any]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("unique", "each value once")
    return values


def _count_or_list(value: Any) -> Any:
    """A count as the seeds 0, 1, …; a list as it is."""
    if isinstance(value, list | tuple):
        return tuple(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise PydanticCustomError("seeds", "a count of at least 1, or a list of seeds")
    if value > 100_000:
        raise PydanticCustomError("seeds", "a count of at most 100000")
    return tuple(range(value))


def _folder_name(value: str) -> str:
    if value.startswith(".") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in value):
        raise PydanticCustomError("folder_name", "a name that can be a folder's")
    return value


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise PydanticCustomError("line", "a line of text")
    return value


def _empty_for_null(value: Any) -> Any:
    return {} if value is None else value


Count = Annotated[int, Field(ge=1, lt=2**31)]
Odd = Annotated[int, Field(ge=3), AfterValidator(_odd)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[
    tuple[Seed, ...],
    Field(min_length=1),
    AfterValidator(_unique),
    BeforeValidator(_count_or_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
            ]
        }
    ),
]
Sweep = Annotated[
    dict[str, Annotated[tuple[JsonValue, ...], Field(min_length=1, strict=False)]],
    BeforeValidator(_empty_for_null),
]


class Frozen(BaseModel):
    """A value that never changes and takes nothing it does not know."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class Part(Frozen):
    """A part by name, with its options. A config may write the name alone, or options flat."""

    family: ClassVar[str] = ""
    name: str = Field(min_length=1)
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        written = handler.resolve_ref_schema(handler(core_schema))
        menu = sorted({entry.name for entry in entries(cls.family)}) if cls.family else []
        name = {"anyOf": [{"enum": menu}, {"type": "string", "pattern": ":"}]}
        written["properties"]["name"] = name
        written["additionalProperties"] = True
        required = [field for field in written.pop("required", []) if field != "label"]
        full = {**written, "required": required}
        written.clear()
        written.update({"title": full.pop("title", cls.__name__), "anyOf": [name, full]})
        return written


class Dataset(Part):
    family: ClassVar[str] = "datasets"


class Model(Part):
    family: ClassVar[str] = "models"


class Schedule(Part):
    family: ClassVar[str] = "schedules"


class Optimizer(Part):
    """`schedule` null: the learning rate as it is; `clip_norm` null: no clipping."""

    family: ClassVar[str] = "optimizers"
    name: str = Field("adam", min_length=1)
    schedule: Schedule | None = None
    clip_norm: Positive | None = None


class Loss(Part):
    """`label` is what the loss is called in reports; by default its name."""

    family: ClassVar[str] = "losses"
    label: Annotated[str, Field(max_length=80), AfterValidator(_line)]


class Metric(Part):
    family: ClassVar[str] = "metrics"


class Direction(Part):
    family: ClassVar[str] = "directions"
    name: str = Field("random", min_length=1)


class Evaluation(Frozen):
    """The fixed set on which everything is compared. `size` null: all of the split."""

    split: Literal["train", "test"] = "test"
    size: Count | None = None
    batch_size: Count = 512


class Gradients(Frozen):
    """What counts as a dead, a vanishing and an exploding gradient.

    Zero means a magnitude of at most `absolute`, or of `relative` times the largest; vanishing is
    a mean magnitude below `vanishing`, exploding a global norm above `exploding`.
    """

    absolute: NotNegative = 0.0
    relative: Annotated[float, Field(ge=0, lt=1)] = 0.0
    vanishing: NotNegative = 1e-7
    exploding: Positive = 1e3


class Lines(Frozen):
    """Slices along single directions."""

    directions: Count = 8
    points: Odd = 41
    radius: Positive = 1.0


class Planes(Frozen):
    """Slices on planes of two directions; `points` are [x, y]."""

    draws: Count = 1
    points: tuple[Odd, Odd] = (31, 31)
    radius: Positive = 1.0


class Slices(Frozen):
    """What is measured around a trained point. `gradients`: their norm and dead fractions too."""

    at: Annotated[
        tuple[Literal["trained", "initial"], ...], Field(min_length=1), AfterValidator(_unique)
    ] = ("trained",)
    direction: Direction = Direction()
    lines: Lines | None = Lines()
    planes: Planes | None = Planes()
    gradients: bool = False


class Experiment(Frozen):
    """One YAML file: a dataset, a model, an optimizer, candidate losses, seeds, what to measure.

    `folder` is where paths and the user's own code are looked up, by default that of the file;
    `name` is the folder of results, by default the name of the file. `audit`: judge each loss
    without training it too.
    """

    title: str | None = None
    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_folder_name)] = (
        "experiment"
    )
    dataset: Dataset
    model: Model
    optimizer: Optimizer = Optimizer()
    losses: Annotated[tuple[Loss, ...], Field(min_length=1)]
    seeds: Seeds = tuple(range(6))
    steps: Count = 600
    batch_size: Count = 64
    record_every: Count = 20
    evaluation: Evaluation = Evaluation()
    gradients: Gradients = Gradients()
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] | None = None
    target: float | None = None
    targets: Literal["auto", "onehot", "labels"] = "auto"
    slices: Slices | None = Slices()
    audit: bool = False
    sweep: Sweep = Field(default_factory=dict)
    folder: Path = Path()


class Run(Frozen):
    """One training: one loss, one seed, one point of the sweep, everything resolved.

    `id` names the run and changes with whatever decides its training: options, seed, the text of
    the user's own files, the content of data files; never with title, label, folder, slices or
    audit. `measurement` does the same for what is measured afterwards.
    """

    id: str
    loss: Loss
    seed: Seed
    swept: dict[str, JsonValue]
    dataset: Dataset
    model: Model
    optimizer: Optimizer
    steps: Count
    batch_size: Count
    record_every: Count
    evaluation: Evaluation
    gradients: Gradients
    metrics: tuple[Metric, ...] | None
    targets: Literal["auto", "onehot", "labels"]
    slices: Slices | None
    audit: bool = False
    measurement: str
    folder: Path

    @property
    def label(self) -> str:
        """What the run is called while it is at work: loss, swept values and seed."""
        swept = [f"{key}={shown(value)}" for key, value in self.swept.items()]
        return ", ".join([self.loss.label, *swept, f"seed {self.seed}"])
