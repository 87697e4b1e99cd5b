"""Execution settings of a config; they do not affect results."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from landscape.config.limits import LONGEST_SECONDS, MOST_CPUS, MOST_MEMORY
from landscape.config.parts import Frozen

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, **{f"{p}B": 1000**n for n, p in enumerate("kMGT", 1)}}
_BYTES |= {f"{p}iB": 1024**n for n, p in enumerate("KMGT", 1)}


def _quantity(
    units: Mapping[str, float], expected: str, minimum: float, maximum: float
) -> Callable[[Any], Any]:
    """Returns a validator of amounts such as `10m`; the first unit is the default."""

    def read(value: Any) -> Any:
        amount = value
        if isinstance(value, str):
            match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", value)
            number, unit = match.groups() if match else ("0", "")
            amount = float(number) * units.get(unit or next(iter(units)), 0)
        is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
        if not is_number or not 0 < amount <= maximum or amount < minimum:
            raise PydanticCustomError("quantity", expected)
        return amount

    return read


_seconds = _quantity(
    _SECONDS, "a time greater than 0, at most 3650d, such as 90s, 10m or 2h", 0.0, LONGEST_SECONDS
)
# The minimum catches a forgotten unit: a plain number is in bytes.
_bytes = _quantity(
    _BYTES,
    "an amount of memory from 1MiB to 1048576TiB, such as 512MiB or 4GiB",
    2**20,
    MOST_MEMORY,
)
_QUANTITY_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]}
)
Seconds = Annotated[float, BeforeValidator(lambda value: float(_seconds(value))), _QUANTITY_SCHEMA]
Bytes = Annotated[int, BeforeValidator(lambda value: int(_bytes(value))), _QUANTITY_SCHEMA]


class Execution(Frozen):
    """Limits at which a run is stopped and recorded as failed.

    `memory_limit` applies to the process of the run and its children; about 400 MiB of it are used
    before training starts. `retries`: how often a run is repeated if its process is lost; a run
    that raises an error is not repeated.
    """

    time_limit: Seconds | None = None
    memory_limit: Bytes | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 1


class Resources(Frozen):
    """Resources of a run on a Ray cluster; fractions share a CPU or a GPU.

    `memory` is reserved by Ray; it is not a limit. Other executors divide their one machine by the
    number of jobs instead.
    """

    cpus: Annotated[float, Field(gt=0, le=MOST_CPUS)] = 1.0
    gpus: Annotated[float, Field(ge=0, le=MOST_CPUS)] = 0.0
    memory: Bytes | None = None
