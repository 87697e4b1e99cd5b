"""Formats the numbers of a row of the comparison, and all of them for a terminal."""

import functools
import math
from collections.abc import Callable, Sequence

import pandas as pd

from landscape.report import audits, words
from landscape.report.loss_rows import swept_texts


def swept_text(value: object) -> str:
    """Formats a swept value; a dash if the loss does not have the option."""
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return words.MISSING if missing else str(value)


def outcome_text(row: pd.Series) -> str:
    """Formats `0.968 [0.961, 0.973]`, below five seeds `0.968 (0.961 to 0.973)`."""
    return _estimate(row, words.decimal)


def _estimate(row: pd.Series, to_text: Callable[[float], str]) -> str:
    value = to_text(row["value"])
    if not math.isnan(row["low"]):
        return f"{value} [{to_text(row['low'])}, {to_text(row['high'])}]"
    if row["seeds"] < 2:
        return value
    return f"{value} ({to_text(row['lowest'])} to {to_text(row['highest'])})"


def interval_text(row: pd.Series, value: str, low: str, high: str) -> str:
    """Formats `-0.012 [-0.020, -0.004]`, without the interval if it is undefined."""
    text = words.decimal(row[value])
    return text if math.isnan(row[low]) else f"{text} {ends_text(row[low], row[high])}"


def ends_text(low: float, high: float) -> str:
    """Formats `[0.96, 0.98]`, or a dash if the interval is undefined."""
    return words.MISSING if math.isnan(low) else f"[{words.decimal(low)}, {words.decimal(high)}]"


def share_text(row: pd.Series, name: str) -> str:
    """Formats `33 % [10 %, 70 %]`, or a dash if the share is undefined."""
    share, low, high = (row[f"{name}_{end}"] for end in ("rate", "low", "high"))
    if math.isnan(share):
        return words.MISSING
    return f"{words.percentage(share)} [{words.percentage(low)}, {words.percentage(high)}]"


def tolerance_text(row: pd.Series) -> str:
    """Formats `> 1.25 [1.00, 1.50]`."""
    decades, low, high = (row[f"tolerance{end}"] for end in ("", "_low", "_high"))
    return words.tolerance(decades, low, high, leaves=bool(row["tolerance_cut"]))


def reached_text(row: pd.Series) -> str:
    """Formats `6/6`, or a dash if the target is undefined."""
    if math.isnan(row["reached"]):
        return words.MISSING
    return f"{row['reached_runs']}/{row['seeds']}"


def display(comparison: pd.DataFrame, others: Sequence[str] = ()) -> pd.DataFrame:
    """Returns the comparison as short texts for a terminal; shares in percent.

    The first column has the loss and, below it, the swept values that it has, one per line. The
    last one is the finding. `others` are the metrics that do not judge.
    """
    swept = list(comparison.columns[1 : comparison.columns.get_loc("metric")])
    metric = str(comparison["metric"].iloc[0])
    ends = "[95 % CI]" if comparison["low"].notna().any() else "(seeds)"
    heading = f"{words.metric_heading(metric)} {ends}"
    rows = [
        _display_row(row, swept, heading) | _other_means(row, others) | {"finding": _finding(row)}
        for _, row in comparison.iterrows()
    ]
    return pd.DataFrame(rows)


def _display_row(row: pd.Series, swept: Sequence[str], heading: str) -> dict[str, str]:
    dead = [words.percent(row[f"dead_{name}"]) for name in words.DEAD]
    steps = words.count(row["steps_to_target"])
    to_text = functools.partial(words.table_number, str(row["metric"]))
    values = {key: row[key] for key in swept if swept_text(row[key]) != words.MISSING}
    return {
        "loss": "\n".join([str(row["loss"]), *swept_texts(values)]),
        heading: _estimate(row, to_text),
        "fails": f"{row['failures']}/{row['seeds']}" if row["seeds"] else words.MISSING,
        "reached": reached_text(row) + (f" in {steps}" if steps != words.MISSING else ""),
        "gradient": "→".join(words.scientific(row[f"gradient_{end}"]) for end in ("start", "end")),
        "dead % e/c/w/u": "/".join(dead) if len(set(dead)) > 1 else f"all {dead[0]}",
    }


def _finding(row: pd.Series) -> str:
    return "\n".join(filter(None, (str(row["finding"]), audits.line(row))))


def _other_means(row: pd.Series, metrics: Sequence[str]) -> dict[str, str]:
    """Returns the mean of each metric by its heading; shares in percent."""
    return {
        words.metric_heading(metric): words.table_number(metric, row[f"{metric}_value"])
        for metric in metrics
    }
