"""Tables of the report: columns with definitions, and the formats Markdown and LaTeX."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from landscape.errors import last_line
from landscape.report import escapes, words
from landscape.report.results import Results

# Of longer tables, only csv has all rows.
MOST_ROWS = 200


class TableColumn(NamedTuple):
    """A column to show: its heading, its text for a row, and its definition."""

    heading: str
    text: Callable[[pd.Series], str]
    definition: str


def value_column(
    heading: str,
    definition: str,
    to_text: Callable[[Any], str] = str,
    name: str | None = None,
) -> TableColumn:
    """Returns the column that shows the values of `name`, by default the heading, as texts."""
    key = heading if name is None else name
    return TableColumn(heading, lambda row: to_text(row[key]), definition)


def varying_column(
    table: pd.DataFrame, name: str, definition: str, to_text: Callable[[Any], str] = str
) -> list[TableColumn]:
    """Returns the column in a list, which is empty if all rows have the same value."""
    return [value_column(name, definition, to_text)] if table[name].nunique() > 1 else []


def estimate_text(row: pd.Series) -> str:
    """Formats `0.968 [0.961, 0.973]`, without the bracket if the interval is undefined."""
    value = words.decimal(row["value"])
    if math.isnan(row["low"]):
        return value
    return f"{value} [{words.decimal(row['low'])}, {words.decimal(row['high'])}]"


class ReportTable(NamedTuple):
    """A table with its raw numbers in `rows` and the columns to show; `name` names its files.

    `section` is the section of the page. `shown` are the rows to read, on the page and in md and
    tex.
    """

    name: str
    title: str
    section: str
    columns: Sequence[TableColumn]
    rows: pd.DataFrame
    shown: pd.DataFrame

    @property
    def texts(self) -> pd.DataFrame:
        """The rows to read as formatted text."""
        cells = [[column.text(row) for column in self.columns] for _, row in self.shown.iterrows()]
        return pd.DataFrame(cells, columns=[column.heading for column in self.columns])


def failures(results: Results) -> pd.DataFrame:
    """Returns one row per run that failed, has not finished, or has an unreadable file."""
    rows = [
        {
            "run": run.name,
            "loss": run.loss,
            "seed": "" if run.seed is None else str(run.seed),
            "status": run.status,
            "reason": last_line(run.error) or run.problem or "the run has not finished",
        }
        for run in results.runs
        if not run.counted or run.problem
    ]
    return pd.DataFrame(rows, columns=["run", "loss", "seed", "status", "reason"])


# Columns that LaTeX sets as paragraphs.
_WIDE = ("finding", "reason", "findings", "training", "message", "note")


def markdown(table: pd.DataFrame) -> str:
    """Returns a pipe table; characters with a meaning in Markdown or HTML are escaped."""
    lines = [f"| {' | '.join(cells)} |" for cells in _escaped(table, escapes.markdown)]
    lines.insert(1, f"| {' | '.join('---' for _ in table.columns)} |")
    return "\n".join([*lines, ""])


def latex(table: pd.DataFrame) -> str:
    r"""Returns a booktabs `tabular`; characters with a meaning in LaTeX are escaped."""
    formats = ["p{0.3\\linewidth}" if name in _WIDE else "l" for name in table.columns]
    head, *body = (" & ".join(cells) + r" \\" for cells in _escaped(table, escapes.latex))
    begin = rf"\begin{{tabular}}{{{''.join(formats)}}}"
    lines = [r"% needs \usepackage{booktabs}", begin, r"\toprule", head, r"\midrule", *body]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escaped(table: pd.DataFrame, escape: Callable[[str], str]) -> list[list[str]]:
    """Returns the escaped cells of the header and of each row."""
    rows = [table.columns, *table.itertuples(index=False)]
    return [[escape(str(cell)) for cell in row] for row in rows]
