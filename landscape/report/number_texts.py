"""Formats means, shares and tolerances with their intervals."""

import functools
import math
from collections.abc import Callable

from landscape.compare.intervals import Estimate
from landscape.compare.tolerance import Tolerance
from landscape.report import words
from landscape.report.statistics import SeedEstimate, Share


def outcome_text(estimate: SeedEstimate, to_text: Callable[[float], str] = words.decimal) -> str:
    """Formats `0.968 [0.961, 0.973]`, below five seeds `0.968 (0.961 to 0.973)`."""
    if not math.isnan(estimate.low) or estimate.seeds < 2:
        return estimate_text(estimate.interval, to_text)
    ends = f"{to_text(estimate.lowest)} to {to_text(estimate.highest)}"
    return f"{to_text(estimate.value)} ({ends})"


def estimate_text(estimate: Estimate, to_text: Callable[[float], str] = words.decimal) -> str:
    """Formats `-0.012 [-0.020, -0.004]`, without the interval if it is undefined."""
    value = to_text(estimate.value)
    if math.isnan(estimate.low):
        return value
    return f"{value} {ends_text(estimate.low, estimate.high, to_text)}"


def ends_text(low: float, high: float, to_text: Callable[[float], str] = words.decimal) -> str:
    """Formats `[0.96, 0.98]`, or a dash if the interval is undefined."""
    return words.MISSING if math.isnan(low) else f"[{to_text(low)}, {to_text(high)}]"


def metric_text(metric: str, estimate: Estimate) -> str:
    """Formats an estimate of a metric for a narrow table: shares in percent, without the unit."""
    return estimate_text(estimate, functools.partial(words.table_number, metric))


def rate_text(share: Share) -> str:
    """Formats `33 % [10 %, 70 %]`, or a dash if the share is undefined."""
    return estimate_text(share.interval, words.percentage)


def share_text(share: Share) -> str:
    """Formats `4/10 [17 %, 69 %]`, the share with Wilson's interval."""
    if not share.total:
        return words.MISSING
    _, low, high = share.interval
    return f"{count_text(share)} {ends_text(low, high, words.percentage)}"


def count_text(share: Share) -> str:
    """Formats `4/10`, or a dash without a run."""
    return f"{share.number}/{share.total}" if share.total else words.MISSING


def tolerance_text(tolerance: Tolerance) -> str:
    """Formats `1.82 [1.20, 2.31]`, or `> 1.82` if the interval of rates leaves the grid."""
    if not math.isfinite(tolerance.decades):
        return words.MISSING
    text = f"{'> ' if tolerance.cut_ends else ''}{tolerance.decades:.2f}"
    low, high = tolerance.interval
    return text if math.isnan(low) else f"{text} [{low:.2f}, {high:.2f}]"
