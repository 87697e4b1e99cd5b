"""Cells and columns that the tables of a comparison at tuned points share."""

from typing import Any

import numpy as np
import pandas as pd

from landscape.compare.intervals import Estimate
from landscape.report import words
from landscape.report.compare_measures import Share
from landscape.report.compare_results import Array
from landscape.report.compare_text import share_text
from landscape.report.comparison_texts import outcome_text
from landscape.report.tables import TableColumn


def estimate_cells(prefix: str, values: Array, estimate: Estimate) -> dict[str, float]:
    """Returns the cells of a mean over seeds: its interval, and the lowest and highest seed."""
    known = values[np.isfinite(values)]
    lowest, highest = (known.min(), known.max()) if len(known) else (np.nan, np.nan)
    return {
        f"{prefix}value": estimate.value,
        f"{prefix}low": estimate.low,
        f"{prefix}high": estimate.high,
        f"{prefix}seeds": len(known),
        f"{prefix}lowest": float(lowest),
        f"{prefix}highest": float(highest),
    }


def estimate_column(heading: str, definition: str, prefix: str = "") -> TableColumn:
    """Returns the column that shows the cells of a mean over seeds."""
    ends = ("value", "low", "high", "seeds", "lowest", "highest")
    names = {f"{prefix}{name}": name for name in ends}
    return TableColumn(
        heading, lambda row: outcome_text(row[list(names)].rename(names)), definition
    )


def share_cells(name: str, share: Share) -> dict[str, Any]:
    """Returns the cells of a share: its runs, out of how many, and its interval."""
    ends = share.interval
    return {
        f"{name}_runs": share.number,
        f"{name}_of": share.total,
        f"{name}_low": ends.low,
        f"{name}_high": ends.high,
    }


def share_column(heading: str, definition: str, name: str) -> TableColumn:
    """Returns the column that shows the cells of a share."""

    def text(row: pd.Series) -> str:
        return share_text(Share(int(row[f"{name}_runs"]), int(row[f"{name}_of"])))

    return TableColumn(heading, text, definition)


def has_content(column: TableColumn, rows: pd.DataFrame) -> bool:
    """Returns whether a column has a text other than a dash."""
    return any(column.text(row) != words.MISSING for _, row in rows.iterrows())
