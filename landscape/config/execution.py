"""What a config may say of how runs are performed, which decides nothing about their results."""

import math
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from landscape.config.parts import Frozen, Positive

_SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, **{f"{p}B": 1000**n for n, p in enumerate("kMGT", 1)}}
_BYTES |= {f"{p}iB": 1024**n for n, p in enumerate("KMGT", 1)}


def _quantity(
    units: Mapping[str, float], expected: str, least: float = 0.0
) -> Callable[[Any], Any]:
    """A validator of amounts such as `10m`: a number, and a unit unless it is the smallest one."""

    def read(value: Any) -> Any:
        amount = value
        if isinstance(value, str):
            found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", value)
            number, unit = found.groups() if found else ("0", "")
            amount = float(number) * units.get(unit or next(iter(units)), 0)
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise PydanticCustomError("quantity", expected)
        if not (0 < amount < math.inf and amount >= least):
            raise PydanticCustomError("quantity", expected)
        return amount

    return read


_seconds = _quantity(_SECONDS, "a time greater than 0, such as 90s, 10m or 2h")
# A number without a unit is bytes, and hardly ever meant.
_bytes = _quantity(_BYTES, "an amount of memory of 1MiB or more, such as 512MiB or 4GiB", 2**20)
_EITHER = WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}]})
Seconds = Annotated[float, BeforeValidator(lambda value: float(_seconds(value))), _EITHER]
Bytes = Annotated[int, BeforeValidator(lambda value: int(_bytes(value))), _EITHER]


class Execution(Frozen):
    """What a run may take before it is stopped and recorded as failed.

    `memory_limit` is that of the process that performs it, with what the process starts; about
    400 MiB of it are taken before anything is trained. `retries`: how often a run is tried again
    whose process was lost; one that raises an error is not.
    """

    time_limit: Seconds | None = None
    memory_limit: Bytes | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 1


class Resources(Frozen):
    """What a run asks of a machine of a Ray cluster; fractions share a CPU or a GPU.

    `memory` is what Ray sets aside for it, no limit. Other executors have one machine, and share it
    by the number of their jobs.
    """

    cpus: Positive = 1.0
    gpus: Annotated[float, Field(ge=0)] = 0.0
    memory: Bytes | None = None
