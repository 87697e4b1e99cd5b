"""Building blocks of the config models: bounded numbers, and one model per family of parts."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler, JsonValue
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from landscape.catalog.menu import entries
from landscape.config.limits import LARGEST_INTEGER, LONGEST_NAME, misfit


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
    """A dataset."""

    family: ClassVar[str] = "datasets"


class ModelPart(Part):
    """A model."""

    family: ClassVar[str] = "models"


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
    """A loss. `label` is its name in reports, by default the shortest unique name."""

    family: ClassVar[str] = "losses"
    label: Annotated[str, Field(max_length=80), AfterValidator(_line)]


class MetricPart(Part):
    """A metric."""

    family: ClassVar[str] = "metrics"


class DirectionPart(Part):
    """A direction of slices."""

    family: ClassVar[str] = "directions"
    name: str = Field("random", min_length=1, max_length=LONGEST_NAME)
