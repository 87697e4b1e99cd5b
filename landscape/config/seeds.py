"""Seeds in a config: a count, or a list."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from landscape.config.limits import MOST_SEEDS
from landscape.config.parts import unique

_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
        ]
    }
)
Seed = Annotated[int, Field(ge=0, lt=2**32)]


def _count_or_list(first: int) -> Callable[[Any], Any]:
    """Returns a validator: a count becomes the seeds `first`, `first + 1`, …; a list is kept."""

    def read(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise PydanticCustomError("seeds", "a count of at least 1, or a list of seeds")
        if value > MOST_SEEDS:
            raise PydanticCustomError("seeds", f"a count of at most {MOST_SEEDS}")
        return tuple(range(first, first + value))

    return read


# The first seed of a count of tuning seeds.
FIRST_TUNING_SEED = 10_000
Seeds = Annotated[
    tuple[Seed, ...],
    Field(min_length=1, max_length=MOST_SEEDS),
    AfterValidator(unique),
    BeforeValidator(_count_or_list(0)),
    _SCHEMA,
]
TuningSeeds = Annotated[
    tuple[Seed, ...],
    Field(min_length=1, max_length=MOST_SEEDS),
    AfterValidator(unique),
    BeforeValidator(_count_or_list(FIRST_TUNING_SEED)),
    _SCHEMA,
]
