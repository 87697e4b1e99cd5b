"""The `compare` block of a config: how losses are tuned, judged, and tried in other conditions."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from landscape.config.limits import LARGEST_FLOAT, SMALLEST_FLOAT
from landscape.config.parts import Frozen, Positive, sentence
from landscape.config.seeds import FIRST_TUNING_SEED, Seeds, TuningSeeds
from landscape.errors import nearest

_FEWEST_RATES, _MOST_RATES = 3, 101
_EXPECTED_RATES = (
    f"a count from {_FEWEST_RATES} to {_MOST_RATES}, or a list of at least 2 distinct numbers "
    "greater than 0"
)
# Default values of each axis; None: they depend on the model.
AXES: Mapping[str, tuple[float, ...] | None] = {
    "initialization": (0.25, 0.5, 1.0, 2.0, 4.0),
    "batch_size": (16, 64, 256),
    "label_noise": (0.0, 0.1, 0.3, 0.5),
    "imbalance": (1.0, 0.3, 0.1),
    "train_size": (0.1, 0.3, 1.0),
    "depth": None,
}


def _rates(value: Any) -> Any:
    if type(value) is int and _FEWEST_RATES <= value <= _MOST_RATES:
        return value
    if not isinstance(value, list | tuple) or not 2 <= len(set(map(str, value))) <= _MOST_RATES:
        raise PydanticCustomError("rates", _EXPECTED_RATES)
    numbers = [float(v) for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
    valid = all(SMALLEST_FLOAT <= number <= LARGEST_FLOAT for number in numbers)
    if not valid or len({*numbers}) < len(value):
        raise PydanticCustomError("rates", _EXPECTED_RATES)
    return tuple(sorted(numbers))


def _axes(value: Any) -> Any:
    """Returns the values of each axis, None for its default grid; a list has names of axes."""
    if value is None:
        return {}
    if isinstance(value, str):
        value = [value]
    is_list = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
    axes = dict.fromkeys(value) if is_list else value
    if not isinstance(axes, dict):
        expected = f"a list of axes, or a mapping of axes to values; axes: {', '.join(AXES)}"
        raise PydanticCustomError("axes", expected)
    for name in axes:
        if name not in AXES:
            raise sentence(f"there is no robustness axis `{name}`", nearest(name, AXES))
    return {name: AXES[name] if grid is None else grid for name, grid in axes.items()}


def _several(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(seeds) < 2:
        raise PydanticCustomError("several", "at least 2 seeds: one shows no spread")
    return seeds


def _distinct(axes: dict[str, tuple[Any, ...] | None]) -> dict[str, tuple[Any, ...] | None]:
    for name, values in axes.items():
        if values is not None and len({str(value) for value in values}) < len(values):
            raise sentence(f"the axis `{name}` lists a value twice", "remove one of them", name)
    return axes


Rates = Annotated[
    int | tuple[float, ...],
    BeforeValidator(_rates),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": _FEWEST_RATES, "maximum": _MOST_RATES},
                {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}},
            ]
        }
    ),
]
_Values = Annotated[tuple[JsonValue, ...], Field(min_length=1, max_length=100, strict=False)]
Axes = Annotated[dict[str, _Values | None], BeforeValidator(_axes)]


class CompareSettings(Frozen):
    """How `landscape compare` tunes and judges losses.

    `reference`: the label of the loss to which the others are compared; null: the usual loss of the
    task if it is listed, else the first. `rates`: learning rates to try, a count over four decades
    around the default of the optimizer, or a list. `tuning_seeds`: a count from seed 10000, or a
    list; `judging_seeds`: a count from seed 0, or a list. `margin`: the largest difference of the
    metric that does not matter; null: that of the metric. `robustness`: conditions under which the
    losses are compared again, by axis. `maps`: also map where training succeeds, by learning rate
    and scale of the initialization.
    """

    reference: str | None = None
    rates: Rates = 13
    tuning_seeds: TuningSeeds = tuple(range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + 3))
    judging_seeds: Annotated[Seeds, AfterValidator(_several)] = tuple(range(10))
    margin: Positive | None = None
    robustness: Axes = Field(default_factory=dict)
    maps: bool = False

    @model_validator(mode="after")
    def _check_axes(self) -> "CompareSettings":
        _distinct(self.robustness)
        return self

    @model_validator(mode="after")
    def _check_seeds(self) -> "CompareSettings":
        shared = sorted({*self.tuning_seeds} & {*self.judging_seeds})
        if shared:
            seeds = ", ".join(map(str, shared[:5]))
            message = f"seeds are used for tuning and for judging: {seeds}"
            hint = "a loss tuned on a seed cannot be judged on it; use others"
            raise sentence(message, hint, "tuning_seeds")
        return self
