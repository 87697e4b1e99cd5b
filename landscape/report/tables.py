"""Tables of the report: columns, each described once, and the formats Markdown and LaTeX."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

import pandas as pd

from landscape.errors import last_line
from landscape.report import escapes, number_texts, words
from landscape.report.results import Results
from landscape.report.statistics import SeedEstimate, Share

# Of longer tables, only csv has all rows.
MOST_ROWS = 200

Item = TypeVar("Item")
Shown = Literal["always", "known", "nonzero", "varying"]
Records = Mapping[str, Any]


@dataclass(frozen=True)
class TableColumn(Generic[Item]):
    """A column: its heading and text to read, its definition, and its cells in files.

    `cells` returns the raw values of a row by the names of their columns in csv, and may be empty.
    A column without a heading is in files only. `shown`: `always`; `known`, unless all rows have a
    dash; `nonzero`, unless all have a dash or 0; or `varying`, if the rows differ.
    """

    heading: str
    definition: str
    text: Callable[[Item], str]
    cells: Callable[[Item], Records] = lambda item: {}
    shown: Shown = "always"

    def is_shown(self, items: Sequence[Item]) -> bool:
        """Returns whether the column is shown in a table of these rows."""
        if not self.heading or self.shown == "always":
            return bool(self.heading)
        if self.shown == "varying":
            return len({self.text(item) for item in items}) > 1
        empty = (words.MISSING, "0") if self.shown == "nonzero" else (words.MISSING,)
        return any(self.text(item) not in empty for item in items)


def value_column(
    heading: str,
    definition: str,
    value: Callable[[Item], Any],
    to_text: Callable[[Any], str] = str,
    *,
    name: str | None = None,
    shown: Shown = "always",
) -> TableColumn[Item]:
    """Returns the column of one value, in files under `name`, by default the heading."""
    key = heading if name is None else name
    return TableColumn(
        heading,
        definition,
        lambda item: to_text(value(item)),
        lambda item: {key: value(item)},
        shown,
    )


def file_column(cells: Callable[[Item], Records]) -> TableColumn[Item]:
    """Returns columns that are in files only."""
    return TableColumn("", "", lambda item: "", cells)


def estimate_column(
    heading: str, definition: str, value: Callable[[Item], SeedEstimate], prefix: str = ""
) -> TableColumn[Item]:
    """Returns the column of a mean over seeds; its cells have the prefix in their names."""
    return TableColumn(
        heading,
        definition,
        lambda item: number_texts.outcome_text(value(item)),
        lambda item: value(item).cells(prefix),
    )


def share_column(
    heading: str, definition: str, value: Callable[[Item], Share], name: str
) -> TableColumn[Item]:
    """Returns the column of a share of runs; its cells begin with the name."""

    def cells(item: Item) -> Records:
        share = value(item)
        _, low, high = share.interval
        ends = {"runs": share.number, "of": share.total, "low": low, "high": high}
        return {f"{name}_{end}": number for end, number in ends.items()}

    return TableColumn(
        heading, definition, lambda item: number_texts.share_text(value(item)), cells
    )


@dataclass(frozen=True)
class ReportTable:
    """A table: raw numbers in `rows` and what is read, `texts`; `name` names its files.

    `section` is the section of the page.
    """

    name: str
    title: str
    section: str
    columns: Sequence[TableColumn[Any]]
    rows: pd.DataFrame
    texts: pd.DataFrame


def report_table(
    name: str,
    title: str,
    section: str,
    columns: Sequence[TableColumn[Item]],
    items: Sequence[Item],
    *,
    rows: pd.DataFrame | None = None,
    read: Sequence[Item] | None = None,
    drop_empty: bool = False,
) -> ReportTable:
    """Returns the table with a row per item; of many items, the first are read.

    `rows` are the raw numbers if they are not those of the columns, `read` the items in the order
    in which they are read. `drop_empty` shows no column that has a dash in every row.
    """
    if drop_empty:
        empty: Shown = "known"
        columns = [replace(c, shown=empty) if c.shown == "always" else c for c in columns]
    shown = [column for column in columns if column.is_shown(items)]
    rows = raw_rows(columns, items) if rows is None else rows
    first = (items if read is None else read)[:MOST_ROWS]
    return ReportTable(name, title, section, shown, rows, text_rows(shown, first))


def raw_rows(columns: Sequence[TableColumn[Item]], items: Sequence[Item]) -> pd.DataFrame:
    """Returns a row of raw values per item."""
    return pd.DataFrame(
        [
            {name: value for column in columns for name, value in column.cells(item).items()}
            for item in items
        ]
    )


def text_rows(columns: Sequence[TableColumn[Item]], items: Sequence[Item]) -> pd.DataFrame:
    """Returns a row of texts per item, under the headings of the columns."""
    texts = [[column.text(item) for column in columns] for item in items]
    return pd.DataFrame(texts, columns=[column.heading for column in columns])


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
