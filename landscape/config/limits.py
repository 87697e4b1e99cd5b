"""The largest config that is accepted, apart from the memory of the machine.

These bounds depend on the config alone, so that it is valid on every machine or on none. The ones
that need shapes and memory are in `run/memory_check.py`.
"""

from typing import Any

# A file or an argument, after its aliases are replaced by what they stand for.
MOST_BYTES = 2**20
MOST_VALUES = 20_000
MOST_DEPTH = 32
MOST_CHARACTERS = 10_000
MOST_DIGITS = 100

# Programs compute in float32 and int32; numbers closer to zero than the smallest become zero.
LARGEST_FLOAT = float.fromhex("0x1.fffffep+127")
SMALLEST_FLOAT = 2.0**-126
LARGEST_INTEGER = 2**31 - 1

MOST_SEEDS = 10_000
MOST_RUNS = 20_000
MOST_SWEPT_VALUES = 1_000
MOST_PARTS = 500  # losses or metrics
MOST_SETS = 200  # of lines or of planes; with their defaults they must stay below MOST_VALUES
MOST_ROWS = 1_000_000  # recorded steps of a run
MOST_POINTS = 1_000_000  # points of a set of lines or planes
MOST_ITERATIONS = 10_000  # of Lanczos; also probes, checkpoints and points of an interpolation
LONGEST_NAME = 500  # of a part, with the path of its file
LONGEST_LABEL = 200  # of a set of lines or planes, by default the options of its directions
LONGEST_TITLE = 500
LONGEST_SECONDS = 3650 * 86400.0
MOST_MEMORY = 2**60  # bytes
MOST_CPUS = 1_000_000.0


def misfit(value: Any) -> str | None:
    """Returns what to expect instead of a number that programs cannot represent, else None.

    Mappings and lists are searched.
    """
    if isinstance(value, dict | list | tuple):
        items = value.values() if isinstance(value, dict) else value
        return next((message for item in items if (message := misfit(item))), None)
    if isinstance(value, float) and not fits_float32(value):
        return f"a number that float32 can represent, from {SMALLEST_FLOAT:.2g} to 3.4e+38, or 0"
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return f"a whole number of magnitude at most {LARGEST_INTEGER}, which fits in 32 bits"
    return None


def fits_float32(value: float) -> bool:
    """Returns whether float32 can represent a number without overflow or underflow to zero."""
    return value == 0 or SMALLEST_FLOAT <= abs(value) <= LARGEST_FLOAT
