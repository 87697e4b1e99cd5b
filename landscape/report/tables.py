"""Formats the comparison for reading: headings, definitions, Markdown, LaTeX and terminal text."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from landscape.errors import last_line
from landscape.report import audits, escapes, words
from landscape.report.results import Results
from landscape.report.sentences import (
    LEARNS_GAIN,
    LEARNS_ROOM,
    MENTION_DEAD_EXAMPLES,
    MENTION_DEAD_UNITS,
    MENTION_STEPS,
)

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


_FINDING = (
    "a summary of the row by fixed rules: a loss learns if its metric gains at least "
    f"{LEARNS_GAIN:.0%} of what the best loss gains over the untrained model, and at least "
    f"{LEARNS_ROOM:.0%} of the gap between the untrained model and a perfect value; the summary "
    f"mentions dead units from {MENTION_DEAD_UNITS:.0%} up, dead examples from "
    f"{MENTION_DEAD_EXAMPLES:.0%} up, and vanishing and exploding gradients from "
    f"{MENTION_STEPS:.0%} of the steps up"
).replace("%", " %")


def columns(table: pd.DataFrame) -> list[TableColumn]:
    """Returns the columns of the full comparison, without those that are empty in every row."""
    metric = words.metric_label(str(table["metric"].iloc[0]))
    swept = table.columns[1 : table.columns.get_loc("metric")]
    columns = [
        value_column("loss", "label of the loss"),
        *(value_column(key, "value of the swept option") for key in swept),
        *_outcome_columns(metric),
        *_gradient_columns(),
        *_slice_columns(),
        *(_audit_columns() if "audit_verdict" in table else ()),
        value_column("finding", _FINDING),
    ]
    rows = [row for _, row in table.iterrows()]
    return [column for column in columns if any(_has_content(column, row) for row in rows)]


def _has_content(column: TableColumn, row: pd.Series) -> bool:
    """Returns whether the cell has content; zero failed or unfinished runs do not count."""
    text = column.text(row)
    ignored = {"failed": "0", "unfinished": "0"}
    return text not in (words.MISSING, ignored.get(column.heading))


def _outcome_columns(metric: str) -> list[TableColumn]:
    return [
        TableColumn(
            f"{metric} [95 % CI]",
            estimate_text,
            f"interquartile mean over seeds of the final {metric}, and its 95 % percentile "
            "bootstrap interval; a diverged run counts with the value of its untrained model, "
            "and a failed run does not count",
        ),
        value_column("seeds", "number of runs that count", words.count),
        TableColumn(
            "reached",
            reached_text,
            "number of runs that met the target at a recorded step, out of the runs that count; "
            "runs that diverged later are excluded",
        ),
        value_column(
            "steps",
            "first recorded step at which the target was met, median over the runs that met it",
            words.count,
            "steps_to_target",
        ),
        value_column(
            "diverged",
            "share of the counted runs in which the risk or a gradient became NaN or infinite",
            words.percentage,
        ),
        value_column("failed", "number of runs that ended with an error", words.count),
        value_column("unfinished", "number of runs that have not finished", words.count),
        value_column(
            "p",
            "two-sided exact sign-flip permutation test of the mean difference to the best "
            "loss, paired by seed; with n seeds p is at least 2/2^n; not corrected for the "
            "number of losses, nor for selecting the best loss by the same numbers",
            words.decimal,
            "p_value",
        ),
    ]


def _gradient_columns() -> list[TableColumn]:
    return [
        value_column(
            "gradient norm, start",
            "Euclidean norm of the batch gradient of the risk before the first update, "
            "median over runs; in the loss's own units",
            words.scientific,
            "gradient_start",
        ),
        value_column(
            "gradient norm, end",
            "the same at the last recorded step with a finite norm",
            words.scientific,
            "gradient_end",
        ),
        value_column(
            "vanishing",
            "share of the steps with a mean absolute gradient below the threshold of the "
            "experiment, median over runs",
            words.percentage,
        ),
        value_column(
            "exploding",
            "share of the steps with a gradient norm above the threshold of the experiment, "
            "median over runs",
            words.percentage,
        ),
        *(
            value_column(
                f"dead {name}",
                f"{text}; last recorded value, median over runs",
                words.percentage,
                f"dead_{name}",
            )
            for name, text in words.DEAD.items()
        ),
    ]


def _slice_columns() -> list[TableColumn]:
    return [
        value_column(
            "relative rise",
            "rise of the risk from the trained point to the ends of its lines, relative to the "
            "decrease achieved by training: (mean of both ends - center) / (initial risk "
            "- center), mean over directions, median over runs; 1 undoes all of the training; "
            "undefined if training did not decrease the risk; for the first set of lines",
            words.decimal,
            "relative_rise",
        ),
        value_column(
            "roughness",
            "total variation of a line beyond that of a single valley, relative to its range: "
            "(sum of |differences| - (first + last - 2 min)) / (max - min), mean over "
            "directions, median over runs; 0 for a line that falls and then rises; depends on "
            "the grid spacing, so compare only equal grids; for the first set of lines",
            words.decimal,
        ),
    ]


def _audit_columns() -> list[TableColumn]:
    definitions = {
        "verdict": "verdict of the audit, without training: trainable, care or untrainable",
        "findings": "codes of the errors and warnings behind the verdict, explained in the section "
        "on the audit",
        "agrees": f"whether training agrees with the audit: {audits.RULE}",
    }
    return [
        value_column(
            "audit" if name == "verdict" else f"audit {name}",
            definition,
            words.or_missing,
            f"audit_{name}",
        )
        for name, definition in definitions.items()
    ]


def estimate_text(row: pd.Series) -> str:
    """Formats `0.968 [0.961, 0.973]`, without the bracket if the interval is undefined."""
    value = words.decimal(row["value"])
    if math.isnan(row["low"]):
        return value
    return f"{value} [{words.decimal(row['low'])}, {words.decimal(row['high'])}]"


def reached_text(row: pd.Series) -> str:
    """Formats `6/6`, or a dash if the target is undefined."""
    if math.isnan(row["reached"]):
        return words.MISSING
    return f"{row['reached_runs']}/{row['seeds']}"


def display(comparison: pd.DataFrame) -> pd.DataFrame:
    """Returns the comparison as short texts for a terminal of 80 columns; shares in percent."""
    return pd.DataFrame([_display_row(row) for _, row in comparison.iterrows()])


def _display_row(row: pd.Series) -> dict[str, str]:
    dead = [words.percent(row[f"dead_{name}"]) for name in words.DEAD]
    steps, metric = words.count(row["steps_to_target"]), str(row["metric"])
    unit = " %" if words.metric_kind(metric) in words.SHARES else ""
    return {
        "loss": str(row["name"]),
        f"{words.metric_label(metric)}{unit} [95 % CI]": _short_estimate(
            row, in_percent=bool(unit)
        ),
        "reached": reached_text(row) + (f" in {steps}" if steps != words.MISSING else ""),
        "gradient": "→".join(words.scientific(row[f"gradient_{end}"]) for end in ("start", "end")),
        "dead % e/c/w/u": "/".join(dead) if len(set(dead)) > 1 else f"all {dead[0]}",
        "finding": "\n".join(filter(None, (str(row["finding"]), audits.line(row)))),
    }


def _short_estimate(row: pd.Series, in_percent: bool) -> str:
    """Formats `96.8 [96.1, 97.3]`, or with three decimals if the metric is not a share."""
    if not in_percent:
        return estimate_text(row)
    value, low, high = (
        words.minus(f"{100 * row[name]:.1f}") if math.isfinite(row[name]) else words.MISSING
        for name in ("value", "low", "high")
    )
    return value if math.isnan(row["low"]) else f"{value} [{low}, {high}]"


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
