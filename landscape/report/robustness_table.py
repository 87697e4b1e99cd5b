"""The table of losses under other conditions, at their tuned learning rates and retuned."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.compare.intervals import Estimate
from landscape.report import words
from landscape.report.compare_columns import (
    estimate_cells,
    estimate_column,
    has_content,
    share_cells,
    share_column,
)
from landscape.report.compare_conditions import ConditionNumbers
from landscape.report.compare_measures import Share
from landscape.report.compare_text import rate, value_text
from landscape.report.tables import TableColumn, value_column
from landscape.report.tuned_comparison import TunedComparison


def table(comparison: TunedComparison) -> pd.DataFrame:
    """Returns one row per axis, value and loss, at the tuned rate and retuned."""
    rows = []
    for cell in comparison.cells:
        row = {
            "axis": cell.axis,
            "key": cell.key,
            "setting": cell.value,
            "unchanged": cell.unchanged,
            "loss": cell.loss,
        }
        row |= _condition_cells("", cell.tuned) | _condition_cells("retuned_", cell.retuned)
        rows.append(row)
    return pd.DataFrame(rows)


def _condition_cells(prefix: str, numbers: ConditionNumbers | None) -> dict[str, Any]:
    if numbers is None:
        undefined = Estimate(np.nan, np.nan, np.nan)
        numbers = ConditionNumbers(np.nan, np.zeros(0), undefined, np.nan, Share(0, 0))
    return {
        f"{prefix}rate": numbers.rate,
        **estimate_cells(prefix, numbers.outcomes, numbers.estimate),
        f"{prefix}gain": numbers.gain,
        **share_cells(f"{prefix}success", numbers.success),
    }


def columns(comparison: TunedComparison, rows: pd.DataFrame) -> Sequence[TableColumn]:
    """Returns the columns of the table: at the tuned rate, then at the one retuned."""
    label = comparison.label
    columns = [
        value_column("axis", "what is varied"),
        TableColumn(
            "value",
            lambda row: value_text(row["setting"]) + (" (unchanged)" if row["unchanged"] else ""),
            "its value; everything else is unchanged",
        ),
        value_column("loss", "label of the loss"),
    ]
    for prefix, at in (("", "tuned rate"), ("retuned_", "retuned rate")):
        which = "the rate tuned without the change" if not prefix else "a rate tuned under it"
        columns += [
            value_column(at, which, rate, f"{prefix}rate"),
            estimate_column(
                f"{label} at the {at} [95 % CI]",
                f"mean {label} on the test split over the judging seeds, at {which}",
                prefix,
            ),
            value_column(
                f"gain at the {at}",
                "mean gain relative to the reference under the same condition",
                words.decimal,
                f"{prefix}gain",
            ),
            share_column(
                f"success at the {at}",
                "runs that reach 95 % of the mean gain of the reference under the same condition",
                f"{prefix}success",
            ),
        ]
    return [column for column in columns if has_content(column, rows)]
