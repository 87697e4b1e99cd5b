"""Building blocks of the config models: bounded numbers, and one model per family of parts."""

from collections.abc import Sequence
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
from landscape.config.limits import LARGEST_INTEGER, LONGEST_NAME, misfit
from landscape.config.yaml_source import short_text


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise PydanticCustomError("odd", "an odd number, so that the center is a sample")
    return value


def unique(values: Sequence[Any]) -> Sequence[Any]:
    """Returns the values; raises PydanticCustomError if one of them is repeated."""
    if len(set(values)) < len(values):
        raise PydanticCustomError("unique", "distinct values")
    return values


def sentence(message: str, hint: str, key: str = "") -> PydanticCustomError:
    """Returns a validation error with a complete message instead of what was expected.

    `key` is the field of the model at which the error is placed, if there is one.
    """
    context = {"message": message, "hint": hint, "key": key}
    return PydanticCustomError("sentence", "{message}", context)


def _line(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise PydanticCustomError("line", "a line of text")
    return value


def _float32(value: float) -> float:
    expected = misfit(value)
    if expected is not None:
        raise PydanticCustomError("float32", "{expected}", {"expected": expected})
    return value


def _label_noise(value: Any) -> Any:
    """Returns a share of labels as a float, or a confusion matrix as tuples."""
    if isinstance(value, list | tuple):
        return _confusion_matrix(value)
    if not _is_number(value) or not 0 <= value <= 1:
        expected = "a share of labels from 0 to 1, or a confusion matrix"
        raise PydanticCustomError("label_noise", expected)
    return float(value)


def _confusion_matrix(rows: Sequence[Any]) -> tuple[tuple[float, ...], ...]:
    hint = "row i holds the shares of examples of class i that get each label"
    if len(rows) < 2 or any(not isinstance(r, list | tuple) or len(r) != len(rows) for r in rows):
        message = "`label_noise` is a list that is not a square matrix"
        raise sentence(message, f"expected one row and one column per class: {hint}")
    for number, row in enumerate(rows):
        if not all(_is_number(share) and 0 <= share <= 1 for share in row):
            message = f"row {number} of the confusion matrix is {short_text(row)}"
            raise sentence(message, "expected numbers from 0 to 1")
        if abs(sum(row) - 1) > _ROUNDING:
            message = f"row {number} of the confusion matrix sums to {sum(row):.6g}, expected 1"
            raise sentence(message, hint)
    return tuple(tuple(map(float, row)) for row in rows)


def _train_size(value: Any) -> Any:
    is_count = type(value) is int and 1 <= value <= LARGEST_INTEGER
    if is_count or (isinstance(value, float) and 0 < value <= 1):
        return value
    raise PydanticCustomError("train_size", "a number of examples, or a share above 0 as in 0.5")


def _filter_axes(value: Any) -> Any:
    if isinstance(value, str) and (value in ("first", "last") or ":" in value):
        return value
    raise PydanticCustomError("filter_axes", "first, last, or file.py:function")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_ROUNDING = 1e-6  # of the sum of a row of shares that are written as decimals
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
LabelNoise = Annotated[
    float | tuple[tuple[float, ...], ...],
    BeforeValidator(_label_noise),
    WithJsonSchema({"anyOf": [_SHARE, {"type": "array", "items": {"type": "array"}}]}),
]
TrainSize = Annotated[
    int | float,
    BeforeValidator(_train_size),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
FilterAxes = Annotated[
    str,
    Field(max_length=LONGEST_NAME),
    BeforeValidator(_filter_axes),
    WithJsonSchema({"anyOf": [{"enum": ["first", "last"]}, {"type": "string", "pattern": ":"}]}),
]
Count = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
Odd = Annotated[int, Field(ge=3, le=LARGEST_INTEGER), AfterValidator(_odd)]
Float32 = Annotated[float, AfterValidator(_float32)]
Positive = Annotated[Float32, Field(gt=0)]
NotNegative = Annotated[Float32, Field(ge=0)]


class Frozen(BaseModel):
    """Base of the config models: immutable, strict, without unknown keys.

    A validator is built when it is first used: a config needs one, and there are twenty models. For
    the same reason, defaults are made by `model_construct()`, without a validator.
    """

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True
    )


class Part(Frozen):
    """The name of a part and its options.

    A config may give only the name, and options beside the name instead of under `options`.
    """

    family: ClassVar[str] = ""
    # Fields that are left out of the identity of a run at their default, since ids predate them.
    conditions: ClassVar[tuple[str, ...]] = ()
    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    options: dict[str, JsonValue] = Field(default_factory=dict)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler.resolve_ref_schema(handler(core_schema))
        menu = sorted({entry.name for entry in entries(cls.family)}) if cls.family else []
        name = {"anyOf": [{"enum": menu}, {"type": "string", "pattern": ":"}]}
        schema["properties"]["name"] = name
        schema["additionalProperties"] = True
        required = [field for field in schema.pop("required", []) if field != "label"]
        full = {**schema, "required": required}
        schema.clear()
        schema.update({"title": full.pop("title", cls.__name__), "anyOf": [name, full]})
        return schema


class DatasetPart(Part):
    """A dataset, and what is done to its training examples; the others stay as they are.

    `label_noise`: share of the labels that is replaced by another class, or a confusion matrix.
    `imbalance`: ratio of the rarest class to the commonest; null: as it is. `train_size`: number of
    training examples, or their share; null: all.
    """

    family: ClassVar[str] = "datasets"
    conditions: ClassVar[tuple[str, ...]] = ("label_noise", "imbalance", "train_size")
    label_noise: LabelNoise = 0.0
    imbalance: Annotated[Float32, Field(gt=0, le=1)] | None = None
    train_size: TrainSize | None = None


class TaskPart(Part):
    """A task."""

    family: ClassVar[str] = "tasks"


class ModelPart(Part):
    """A model. `initialization`: factor of its initial weights; biases are unchanged.

    `filter_axes`: the axis that counts the output units of weights whose layer is not known, of a
    model of another library: `first`, `last`, or `file.py:function`, which decides for all weights;
    null: every layer is known.
    """

    family: ClassVar[str] = "models"
    conditions: ClassVar[tuple[str, ...]] = ("initialization", "filter_axes")
    initialization: Positive = 1.0
    filter_axes: FilterAxes | None = None


class SchedulePart(Part):
    """A schedule of the learning rate."""

    family: ClassVar[str] = "schedules"


class OptimizerPart(Part):
    """An optimizer. `schedule` null: a constant learning rate; `clip_norm` null: no clipping."""

    family: ClassVar[str] = "optimizers"
    name: str = Field("adam", min_length=1, max_length=LONGEST_NAME)
    schedule: SchedulePart | None = None
    clip_norm: Positive | None = None


class LossPart(Part):
    """A loss. `label` is its name in reports, by default the shortest unique name.

    `order`: that of its first two arguments; auto: by their names. `vmap`: it is written for one
    example, and mapped over those of a batch.
    """

    family: ClassVar[str] = "losses"
    conditions: ClassVar[tuple[str, ...]] = ("order", "vmap")
    order: Literal["auto", "predictions-first", "targets-first"] = "auto"
    vmap: bool = False
    label: Annotated[str, Field(max_length=80), AfterValidator(_line)]


class MetricPart(Part):
    """A metric. `better`: the direction of a user's `f(predictions, targets)`, else null."""

    family: ClassVar[str] = "metrics"
    conditions: ClassVar[tuple[str, ...]] = ("better",)
    better: Literal["lower", "higher"] | None = None


class PointPart(Part):
    """A point that was trained elsewhere, around which the risk is measured without training.

    `digest`: of the values that a function returns; null until it is called.
    """

    family: ClassVar[str] = "points"
    conditions: ClassVar[tuple[str, ...]] = ("digest",)
    name: str = Field("safetensors", min_length=1, max_length=LONGEST_NAME)
    digest: str | None = None


class DirectionPart(Part):
    """A direction of slices."""

    family: ClassVar[str] = "directions"
    name: str = Field("random", min_length=1, max_length=LONGEST_NAME)
