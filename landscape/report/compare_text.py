"""Formats the numbers of a comparison at tuned points for sentences, tables and figures."""

import numpy as np

from landscape.config.yaml_source import short_text
from landscape.report import words


def value_text(value: object) -> str:
    """Formats the value of an axis: `1` for 1.0, else as in a config."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return words.short(value) if plain else short_text(value)  # type: ignore[arg-type]


def rate(value: float) -> str:
    """Formats a learning rate."""
    return words.short(value)


def difference_text(metric: str, value: float) -> str:
    """Formats a difference with its unit: `2.1 points` of accuracy, `0.024` of R²."""
    if not np.isfinite(value):
        return words.MISSING
    if not words.is_share(metric):
        return words.minus(words.short(value))
    return f"{words.minus(f'{100 * value:.3g}')} point{'' if abs(value) == 0.01 else 's'}"


def interval_text(metric: str, value: float, low: float, high: float, *, unit: bool = True) -> str:
    """Formats `−2.1 points [−3.0, −1.2]`; differences of a share are in points."""
    points = " points" if unit and words.is_share(metric) else ""
    texts = [difference_number(metric, number) for number in (value, low, high)]
    if not np.isfinite(low):
        return f"{texts[0]}{points}"
    return f"{texts[0]}{points} [{texts[1]}, {texts[2]}]"


def difference_number(metric: str, value: float) -> str:
    """Formats a difference without its unit: in points if the metric is a share."""
    if not np.isfinite(value):
        return words.decimal(value)
    if words.is_share(metric):
        text = f"{100 * value:.1f}"
        return words.minus("0.0" if text == "-0.0" else text)
    return words.decimal(value) if words.metric_kind(metric) == "r2" else words.short(value)
