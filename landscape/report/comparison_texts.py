"""Formats the numbers of a row of the comparison, and all of them for a terminal."""

import functools
import math
from collections.abc import Sequence

import pandas as pd

from landscape.report import words
from landscape.report.comparison_row import Row
from landscape.report.loss_rows import swept_texts
from landscape.report.number_texts import outcome_text


def swept_text(value: object) -> str:
    """Formats a swept value; a dash if the loss does not have the option."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return words.MISSING if missing else str(value)


def reached_text(row: Row) -> str:
    """Formats `6/6`, or a dash if the target is undefined."""
    reached = row.target.reached
    return f"{reached.number}/{row.estimate.seeds}" if reached.total else words.MISSING


def display(rows: Sequence[Row]) -> pd.DataFrame:
    """Returns the comparison as short texts for a terminal; shares in percent.

    The first column has the loss and, below it, the swept values that it has, one per line. The
    last one is the finding.
    """
    ends = "(seeds)" if all(math.isnan(row.estimate.low) for row in rows) else "[95 % CI]"
    return pd.DataFrame([_display_row(row, ends) for row in rows])


def _display_row(row: Row, ends: str) -> dict[str, str]:
    metric, failures = row.metric, row.gain.failures
    dead = [words.percent(share) for share in row.dead.values()]
    steps = words.count(row.target.steps)
    values = {key: v for key, v in row.swept.items() if swept_text(v) != words.MISSING}
    to_text = functools.partial(words.table_number, metric)
    gradients = (row.gradients.start, row.gradients.end)
    return {
        "loss": "\n".join([row.loss, *swept_texts(values)]),
        f"{words.metric_heading(metric)} {ends}": outcome_text(row.estimate, to_text),
        "fails": f"{failures.number}/{row.estimate.seeds}" if row.estimate.seeds else words.MISSING,
        "reached": reached_text(row) + (f" in {steps}" if steps != words.MISSING else ""),
        "gradient": "→".join(map(words.scientific, gradients)),
        "dead % e/c/w/u": "/".join(dead) if len(set(dead)) > 1 else f"all {dead[0]}",
        **{
            words.metric_heading(name): words.table_number(name, estimate.value)
            for name, estimate in row.other_metrics.items()
        },
        "finding": "\n".join(filter(None, (row.finding, row.audit.line if row.audit else ""))),
    }
