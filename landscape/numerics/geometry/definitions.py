"""What each number of a slice means, read from the docstring of the function that computes it.

The docstring of such a function starts with its definition and ends with four entries: its unit,
what leaves it unchanged, what changes it, and its source. Tables of reports and of the docs are
generated from these, so no number is described anywhere else.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from landscape.numerics.geometry import (
    barriers,
    basin,
    kinks,
    minima,
    negative_curvature,
    variation,
)

LINE_NUMBERS = (
    basin.relative_rise,
    basin.basin_width,
    basin.basin_bounded,
    basin.asymmetry,
    variation.roughness,
    variation.normalized_variation,
    variation.second_difference_energy,
    minima.smad,
    minima.local_minima,
    negative_curvature.negative_curvature_share,
    kinks.kinks,
    kinks.largest_kink,
    variation.plateau_share,
)
PLANE_NUMBERS = (
    basin.border_rise,
    basin.basin_share,
    minima.plane_smad,
    minima.plane_local_minima,
    minima.total_persistence,
    negative_curvature.convexity_ratio,
    negative_curvature.nonconvex_share,
)
PATH_NUMBERS = (barriers.barrier_height,)


class Definition(NamedTuple):
    """The definition of a number, and the four entries at the end of its docstring."""

    name: str
    formula: str
    unit: str
    unchanged_by: str
    changed_by: str
    source: str


def read_definition(number: Callable[..., Any]) -> Definition:
    """Reads the definition of a number from the docstring of its function."""
    paragraphs = (inspect.getdoc(number) or "").split("\n\n")
    entries = re.findall(r"^(\w.*?): (.*(?:\n +.*)*)", paragraphs[-1], re.MULTILINE)
    unit, unchanged_by, changed_by, source = (re.sub(r"\s+", " ", text) for _, text in entries)
    formula = paragraphs[0].replace("\n", " ").rstrip(".")
    return Definition(number.__name__, formula, unit, unchanged_by, changed_by, source)


def markdown_table(numbers: Iterable[Callable[..., Any]]) -> str:
    """Returns a table with one row per number, as in docs/geometry.md."""
    rows = [[f"`{d.name}`", *d[1:]] for d in map(read_definition, numbers)]
    header = ["number", "definition", "unit", "unchanged by", "changed by", "source"]
    lines = [[cell.replace("|", r"\|") for cell in row] for row in (header, *rows)]
    lines.insert(1, ["---"] * len(header))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


DEFINITIONS = {
    number.__name__: read_definition(number)
    for number in (*LINE_NUMBERS, *PLANE_NUMBERS, *PATH_NUMBERS)
}
