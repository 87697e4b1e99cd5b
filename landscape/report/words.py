"""Formats metrics and numbers for tables, figures and sentences."""

import math
import re
from collections.abc import Sequence

from landscape.compare.margins import SHARES

_METRICS = {
    "accuracy": "accuracy",
    "f1": "F1",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
    "iou": "IoU",
    "dice": "Dice",
    "auc": "AUC",
    "roc_auc": "ROC AUC",
    "macro_f1": "macro F1",
    "matthews": "Matthews' coefficient",
    "brier": "Brier score",
    "ece": "ECE",
    "crps": "CRPS",
    "spearman": "Spearman's correlation",
    "hausdorff": "Hausdorff distance",
    "box_iou": "box IoU",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "map_at_r": "MAP at R",
    "class_mae": "MAE of the class",
}
# Those that were at most 1 before a run recorded the best possible value.
AT_MOST_ONE = ("accuracy", "f1", "iou", "dice", "auc", "r2")
# Figures with more lines than this are hard to read, and so are tables with more kinds of rows.
MOST_POINTS = 8
MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"

DEAD = {
    "examples": "share of examples whose gradient with respect to the prediction is zero in every "
    "component; these examples do not contribute to training",
    "components": "share of the components of all predictions whose gradient is zero; with a "
    "softmax every class gets a gradient, with a hard maximum only one",
    "weights": "share of the parameters whose gradient over the whole evaluation set is zero",
    "units": "share of the units or filters for which the gradients of all incoming weights are "
    "zero",
}


def metric_kind(metric: str) -> str:
    """Returns the metric without its options: `iou` for `iou/0.5` and `iou[threshold=0.5]`."""
    return re.split(r"[/\[]", metric)[0]


def metric_label(metric: str) -> str:
    """Returns the usual spelling of a metric: `IoU at 0.5` for `iou/0.5`, `IoU [threshold=0.5]`."""
    if metric == "risk/evaluation":  # by which a look without metrics is judged
        return "risk"
    kind, _, rest = metric.partition("/")
    name, bracket, options = kind.partition("[")
    label = _METRICS.get(name, name.replace("_", " "))
    label = f"{label} [{options}" if bracket else label
    return f"{label} at {rest}" if rest else label


def metric_heading(metric: str) -> str:
    """Returns the heading of a column: `accuracy %` for a share, `R²`."""
    return f"{metric_label(metric)} %" if is_share(metric) else metric_label(metric)


def metric_value(metric: str, value: float) -> str:
    """Formats a value with the name of its metric: `97.2 % accuracy`, `R² 0.510`."""
    if metric_kind(metric) == "accuracy" and math.isfinite(value):
        return f"{100 * value:.1f} % accuracy"
    return f"{metric_label(metric)} {decimal(value)}"


def metric_number(metric: str, value: float) -> str:
    """Formats a value in the unit of its metric, without the name: `97.2 %`, `0.510`."""
    if metric_kind(metric) == "accuracy" and math.isfinite(value):
        return f"{100 * value:.1f} %"
    return decimal(value)


def metric_difference(metric: str, value: float) -> str:
    """Formats a difference of two values of a metric: `1.2 points` for shares, else `0.053`."""
    if metric_kind(metric) in SHARES and math.isfinite(value):
        points = short(float(f"{100 * value:.2g}"))
        return f"{points} point" if points == "1" else f"{points} points"
    return short(value)


def is_share(metric: str) -> bool:
    """Returns whether the metric is a share, whose differences are given in points."""
    return metric_kind(metric) in SHARES


def table_number(metric: str, value: float) -> str:
    """Formats a value for a narrow table: `97.2` in percent if the metric is a share, `0.510`."""
    if not is_share(metric) or not math.isfinite(value):
        return decimal(value)
    return minus(f"{100 * value:.1f}")


def decimal(value: float) -> str:
    """Formats with three decimals below 100 and four significant digits above."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"
    return minus(text)


def short(value: float) -> str:
    """Formats with three significant digits; very large and very small values get an exponent."""
    return tick(float(f"{value:.3g}")) if math.isfinite(value) else decimal(value)


def scientific(value: float) -> str:
    """Formats with two significant digits, for values that span many decades."""
    return tick(float(f"{value:.2g}")) if math.isfinite(value) else decimal(value)


def tick(value: float) -> str:
    """Formats with up to four significant digits, with an exponent below 1e-4 and from 1e4 up."""
    text = f"{value + 0.0:.4g}"
    return minus(re.sub(r"e([+-])0*", lambda match: "e" + match[1].strip("+"), text))


def count(value: float) -> str:
    """Formats a number of steps or runs; a median of two may be a half."""
    return MISSING if not math.isfinite(value) else f"{value:.10g}"


def percent(value: float) -> str:
    """Formats a share as a whole percentage, never rounded up to 100 or down to 0."""
    if not math.isfinite(value):
        return MISSING
    if 0 < value < 0.01:
        return "<1"
    if 0.99 < value < 1:
        return ">99"
    return f"{100 * value:.0f}"


def percentage(share: float) -> str:
    """Formats `97 %`; no unit if the share is not finite."""
    return f"{percent(share)} %" if math.isfinite(share) else MISSING


def p_text(p: float) -> str:
    """Formats `p = 0.004`, `p < 0.001`."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def listed(names: Sequence[str]) -> str:
    """Returns `a`, `a and b` or `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def or_missing(text: str) -> str:
    """Returns the text, or a dash if it is empty."""
    return text or MISSING


def minus(text: str) -> str:
    """Replaces a leading hyphen by a minus sign."""
    return MINUS + text[1:] if text.startswith("-") else text
