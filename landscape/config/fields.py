"""What a config may say: frozen, strict models of an experiment and of a run."""

import math
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
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from landscape.catalog.menu import entries
from landscape.catalog.option_values import default
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


def _label(value: str) -> str:
    if not value.strip() or not value.isprintable() or "/" in value:
        raise PydanticCustomError("label", "a line of text without a slash")
    return value


def _radius(value: Any) -> Any:
    if value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("radius", "a distance greater than 0, or auto")
    if not 0 < value < math.inf:
        raise PydanticCustomError("radius", "a distance greater than 0 and finite, or auto")
    return float(value)


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


# Between the directions of a plane in its label.
_SEPARATOR = " \N{MULTIPLICATION SIGN} "


def _called(direction: Direction) -> str:
    """A direction's name, with the options in which it differs from what is usual."""
    usual = {e.name: e.options for e in entries("directions")}.get(direction.name, {})
    name = direction.name.rpartition(":")[2]
    written = [
        f"{key}={shown(value)}"
        for key, value in direction.options.items()
        if key not in usual or value != default(usual[key])
    ]
    called = f"{name}[{','.join(written)}]" if written else name
    return "".join(c if c.isprintable() and c != "/" else "_" for c in called)


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


# Directions that follow from the point itself, so that there is nothing to draw several times.
COMPUTED = ("gradient", "update", "eigenvector", "trajectory", "interpolation")
Radius = Annotated[
    float | Literal["auto"],
    BeforeValidator(_radius),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "auto"}]}),
]
Label = Annotated[str, Field(max_length=60), AfterValidator(_label)]


class Lines(Frozen):
    """Slices along single directions: `directions` draws of one `direction`, null that of `slices`.

    `radius` is the distance walked to both sides; `auto` finds the one at which the risk has risen
    by `rise` times the drop that training achieved. `directions` null: 8, or the one that there is
    of a direction that is computed. `label` is what the set is called in results and reports.
    """

    label: Label | None = None
    direction: Direction | None = None
    directions: Count | None = None
    points: Odd = 41
    radius: Radius = 1.0
    rise: Positive = 1.0

    @model_validator(mode="after")
    def _one_of_computed(self) -> "Lines":
        name = None if self.direction is None else self.direction.name
        if name in COMPUTED and self.directions not in (None, 1):
            raise PydanticCustomError(
                "sentence",
                "`directions` is {count}, but there is only one `{name}` at a point",
                {"count": self.directions, "name": name, "hint": "leave `directions` out"},
            )
        return self

    def draws(self, direction: Direction) -> int:
        """How many directions there are."""
        return self.directions or (1 if direction.name in COMPUTED else 8)


class Planes(Frozen):
    """Slices on planes of two `axes`, null twice the direction of `slices`; `points` are [x, y].

    `draws` planes of the same axes; `radius`, `rise` and `label` as for lines. `eigenvalues`: the
    smallest and the largest eigenvalue of the Hessian at every point as well, by that many
    iterations of Lanczos.
    """

    label: Label | None = None
    axes: tuple[Direction, Direction] | None = None
    draws: Count | None = None
    points: tuple[Odd, Odd] = (31, 31)
    radius: Radius = 1.0
    rise: Positive = 1.0
    eigenvalues: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _one_of_computed(self) -> "Planes":
        if self.axes is None:
            return self
        first, second = self.axes
        if {first.name, second.name} <= set(COMPUTED):
            if self.draws not in (None, 1):
                raise PydanticCustomError(
                    "sentence",
                    "`draws` is {count}, but both directions of the plane are computed: there is "
                    "only one",
                    {"count": self.draws, "hint": "leave `draws` out"},
                )
            if first == second:
                raise PydanticCustomError(
                    "sentence",
                    "both axes of the plane are the same direction",
                    {"hint": "use two, as in `axes: [eigenvector, random]`"},
                )
        return self


class Slices(Frozen):
    """What is measured around a trained point. `gradients`: their norm and dead fractions too."""

    at: Annotated[
        tuple[Literal["trained", "initial"], ...], Field(min_length=1), AfterValidator(_unique)
    ] = ("trained",)
    direction: Direction = Direction()
    lines: tuple[Lines, ...] | None = (Lines(),)
    planes: tuple[Planes, ...] | None = (Planes(),)
    gradients: bool = False

    @model_validator(mode="after")
    def _told_apart(self) -> "Slices":
        for kind, names in (("lines", self.line_labels()), ("planes", self.plane_labels())):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise PydanticCustomError(
                    "sentence",
                    "two sets of {kind} are called `{name}`",
                    {"kind": kind, "name": twice, "hint": "give one of them a `label:`"},
                )
        return self

    @model_validator(mode="after")
    def _known_at_the_initial_point(self) -> "Slices":
        if "initial" in self.at and any(d.name == "update" for d in self.directions()):
            raise PydanticCustomError(
                "sentence",
                "the direction `update` has no meaning at the initial point: no step led to it",
                {"hint": "use `at: [trained]`"},
            )
        return self

    def directions(self) -> list[Direction]:
        """Every direction that is used."""
        used = [lines.direction or self.direction for lines in self.lines or ()]
        for planes in self.planes or ():
            used += planes.axes or (self.direction,)
        return used

    def line_labels(self) -> list[str]:
        """What each set of lines is called: its label, else the name of its direction."""
        return [
            lines.label or _called(lines.direction or self.direction) for lines in self.lines or ()
        ]

    def plane_labels(self) -> list[str]:
        """What each set of planes is called: its label, else the names of its directions."""
        found = []
        for planes in self.planes or ():
            names = [_called(axis) for axis in planes.axes or (self.direction,) * 2]
            found.append(planes.label or _SEPARATOR.join(dict.fromkeys(names)))
        return found


class Curvature(Frozen):
    """What is asked of the Hessian of the risk on the evaluation set, and how exactly.

    `checkpoints`: at each checkpoint of training too. `eigenvalues` of each end, by `iterations` of
    Lanczos; traces, norm and density from `probes` random vectors.
    """

    at: Annotated[
        tuple[Literal["trained", "initial"], ...], Field(min_length=1), AfterValidator(_unique)
    ] = ("trained",)
    checkpoints: bool = False
    operators: Annotated[
        tuple[Literal["hessian", "gauss_newton"], ...],
        Field(min_length=1),
        AfterValidator(_unique),
    ] = ("hessian",)
    eigenvalues: Annotated[int, Field(ge=1, le=100)] = 5
    iterations: Annotated[int, Field(ge=2)] = 60
    probes: Annotated[int, Field(ge=2)] = 16


class Across(Frozen):
    """What is measured between runs, after all have finished.

    `losses`: each loss's solution under every other loss. `interpolations`: the risk on the
    straight way between the solutions of two seeds, or of two losses from the same start.
    """

    losses: bool = True
    interpolations: Annotated[tuple[Literal["seeds", "losses"], ...], AfterValidator(_unique)] = ()
    points: Annotated[int, Field(ge=3)] = 25


class Experiment(Frozen):
    """One YAML file: a dataset, a model, an optimizer, candidate losses, seeds, what to measure.

    `folder` is where paths and the user's own code are looked up, by default that of the file;
    `name` is the folder of results, by default the name of the file. `checkpoints`: how
    many parameters along the path of training are kept, spread over the recorded steps. `audit`:
    judge each loss without training it too.
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
    checkpoints: Annotated[int, Field(ge=0)] = 0
    curvature: Curvature | None = None
    across: Across | None = None
    audit: bool = False
    sweep: Sweep = Field(default_factory=dict)
    folder: Path = Path()

    @model_validator(mode="after")
    def _has_checkpoints(self) -> "Experiment":
        _check_checkpoints(self.checkpoints, self.slices, self.curvature)
        return self


def _check_checkpoints(
    checkpoints: int, slices: Slices | None, curvature: Curvature | None
) -> None:
    """What is measured along the path of training needs checkpoints of it."""
    for direction in slices.directions() if slices is not None else ():
        component = direction.options.get("component", 1)
        if direction.name != "trajectory" or not isinstance(component, int):
            continue
        if checkpoints <= component:
            raise PydanticCustomError(
                "sentence",
                "component {component} of the trajectory needs more than {component} "
                "checkpoints of training, found `checkpoints: {found}`",
                {"component": component, "found": checkpoints, "hint": "set `checkpoints: 20`"},
            )
    if curvature is not None and curvature.checkpoints and checkpoints == 0:
        raise PydanticCustomError(
            "sentence",
            "`curvature.checkpoints` is true, but no checkpoints of training are kept",
            {"hint": "set `checkpoints: 5`"},
        )


class Run(Frozen):
    """One training: one loss, one seed, one point of the sweep, everything resolved.

    `id` names the run and changes with whatever decides its training: options, seed, the text of
    the user's own files, the content of data files; never with title, label, folder, slices,
    curvature or audit. `measurement` does the same for what is measured afterwards.
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
    checkpoints: int = 0
    curvature: Curvature | None = None
    audit: bool = False
    measurement: str
    folder: Path

    @property
    def label(self) -> str:
        """What the run is called while it is at work: loss, swept values and seed."""
        swept = [f"{key}={shown(value)}" for key, value in self.swept.items()]
        return ", ".join([self.loss.label, *swept, f"seed {self.seed}"])
