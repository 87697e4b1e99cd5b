"""Cells and columns that the tables of a comparison at tuned points share."""

from typing import Any

import pandas as pd

from landscape.report import words
from landscape.report.compare_measures import Share
from landscape.report.compare_text import share_text
from landscape.report.tables import TableColumn


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
