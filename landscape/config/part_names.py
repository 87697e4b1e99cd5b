"""Short names of parts that differ: the labels of losses, and the columns of metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from landscape.config.parts import MetricPart
from landscape.config.yaml_source import short_text


def short_names(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the name of each part: its label, else the shortest name that is unique.

    In this order: `focal`, `focal[gamma=3.0]` with the options as written,
    `mine.py:focal[gamma=3.0]`.
    """
    levels = [[_name(part, level) for part in parts] for level in range(3)]
    return [
        next((names[i] for names in levels if names.count(names[i]) == 1), levels[-1][i])
        for i in range(len(parts))
    ]


def metric_names(parts: Sequence[MetricPart]) -> list[str]:
    """Returns the name of the column of each metric, see `short_names`."""
    return short_names([{"name": part.name, "options": part.options} for part in parts])


def _name(part: Mapping[str, Any], level: int) -> str:
    if part.get("label") is not None:
        return str(part["label"])
    name = str(part.get("name", ""))
    label = name if level == 2 else name.rpartition(":")[2]
    options = part.get("options")
    if level == 0 or not isinstance(options, dict) or not options:
        return label
    return f"{label}[{','.join(f'{key}={short_text(value)}' for key, value in options.items())}]"
