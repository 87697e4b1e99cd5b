"""The table of losses under other conditions, at their tuned learning rates and retuned."""

from collections.abc import Callable

import numpy as np

from landscape.report import words
from landscape.report.compare_conditions import Cell, ConditionNumbers
from landscape.report.compare_text import rate, value_text
from landscape.report.statistics import Share, seed_estimate
from landscape.report.tables import (
    TableColumn,
    estimate_column,
    file_column,
    share_column,
    value_column,
)

_NOT_RETUNED = ConditionNumbers(np.nan, seed_estimate(()), np.nan, Share(0, 0))


def columns(label: str) -> list[TableColumn[Cell]]:
    """Returns the columns of a cell, at the tuned rate and at the one retuned; `label`: metric."""
    return [
        value_column("axis", "what is varied", lambda cell: cell.axis),
        file_column(lambda cell: {"key": cell.key}),
        TableColumn(
            "value",
            "its value; everything else is unchanged",
            lambda cell: value_text(cell.value) + (" (unchanged)" if cell.unchanged else ""),
            lambda cell: {"setting": cell.value, "unchanged": cell.unchanged},
        ),
        value_column("loss", "label of the loss", lambda cell: cell.loss),
        *_rate_columns(
            label, "tuned rate", "the rate tuned without the change", "", lambda cell: cell.tuned
        ),
        *_rate_columns(
            label,
            "retuned rate",
            "a rate tuned under it",
            "retuned_",
            lambda cell: cell.retuned or _NOT_RETUNED,
        ),
    ]


def _rate_columns(
    label: str, at: str, which: str, prefix: str, numbers: Callable[[Cell], ConditionNumbers]
) -> list[TableColumn[Cell]]:
    """Returns the columns at one learning rate."""
    return [
        value_column(at, which, lambda cell: numbers(cell).rate, rate, name=f"{prefix}rate"),
        estimate_column(
            f"{label} at the {at} [95 % CI]",
            f"mean {label} on the test split over the judging seeds, at {which}",
            lambda cell: numbers(cell).estimate,
            prefix,
        ),
        value_column(
            f"gain at the {at}",
            "mean gain relative to the reference under the same condition",
            lambda cell: numbers(cell).gain,
            words.decimal,
            name=f"{prefix}gain",
        ),
        share_column(
            f"success at the {at}",
            "runs that reach 95 % of the mean gain of the reference under the same condition",
            lambda cell: numbers(cell).success,
            f"{prefix}success",
        ),
    ]
