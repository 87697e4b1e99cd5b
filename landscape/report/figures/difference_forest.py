"""Draws the differences of all losses to the reference, with their simultaneous intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from landscape.report import words
from landscape.report.compare_pairs import Pair
from landscape.report.compare_text import difference_number, interval_text
from landscape.report.figures import panel_layout, style
from landscape.report.figures.fitted_text import fit, inches, label
from landscape.report.figures.view import Picture, joined
from landscape.report.tuned_comparison import TunedComparison

_ROW = 0.27  # inches per loss
_MIN_WIDTH = 5.0  # inches of a figure with a column of verdicts
_GAP = 8  # points between an axis, the numbers and the verdicts
# Differences beyond this multiple of the margin do not stretch the axis; an arrow shows them.
_WIDEST = 12


def difference_forest(
    comparison: TunedComparison, styles: Mapping[str, style.Style]
) -> Picture | None:
    """Draws a row per loss: its mean difference to the reference, the margin shaded."""
    reference = comparison.record.reference
    pairs = [pair for pair in comparison.pairs.pairs if pair.other == reference]
    pairs = [pair for pair in pairs if np.isfinite(pair.difference)]
    if not pairs:
        return None
    figure, (panel,) = panel_layout.panels(1, 1, _ROW * len(pairs) + 0.05)
    limit = _limit(comparison, pairs)
    margin = comparison.record.margin
    if np.isfinite(margin):
        panel.axvspan(-margin, margin, color="#e2e2e2", linewidth=0, zorder=0)
    panel.axvline(0, **style.ZERO | {"linewidth": 0.9})
    for row, pair in enumerate(pairs):
        _draw_pair(panel, row, pair, styles[pair.loss], limit)
    _write_beside(panel, pairs, comparison.metric)
    _label(panel, pairs, comparison, limit)
    unit = " in points" if words.is_share(comparison.metric) else ""
    caption = joined(
        f"The mean difference{unit} of the test {comparison.label} of each loss and {reference}, "
        f"the reference, both at their tuned points, over {len(comparison.record.judging_seeds)} "
        "judging seeds. Bars are 95 % intervals that hold simultaneously for all pairs of losses.",
        np.isfinite(margin)
        and "A loss whose interval lies within the shaded margin is equivalent to the reference.",
        any(_outside(pair, limit) for pair in pairs)
        and "An arrow points to a difference or an end of an interval beyond the axis.",
        any(np.isnan(pair.low) for pair in pairs)
        and "A loss without a bar has too few seeds in common with the reference.",
    )
    title = f"Differences to {reference}"
    alternative = f"Difference of {comparison.label} to {reference} with intervals, a row per loss."
    return Picture("differences", title, caption, alternative, figure, "compare")


def _limit(comparison: TunedComparison, pairs: Sequence[Pair]) -> float:
    """Returns the largest difference on the axis, which extends as far to both sides."""
    numbers = np.array([(pair.difference, pair.low, pair.high) for pair in pairs])
    numbers = abs(numbers[np.isfinite(numbers)])
    margin = comparison.record.margin
    if not np.isfinite(margin) or not margin > 0:
        return max(float(numbers.max()), 1e-9) * 1.1
    within = numbers[numbers <= _WIDEST * margin]
    return 1.1 * max(float(within.max()) if len(within) else 0.0, 2 * margin)


def _outside(pair: Pair, limit: float) -> bool:
    return any(abs(end) > limit for end in (pair.difference, pair.low, pair.high))


def _draw_pair(panel: Axes, row: int, pair: Pair, loss_style: style.Style, limit: float) -> None:
    color = loss_style.color
    if np.isfinite(pair.low):
        ends = np.clip([pair.low, pair.high], -limit, limit)
        if ends[0] < ends[1]:
            panel.plot(ends, [row, row], color=color, linewidth=1.6, solid_capstyle="butt")
        for end, value in zip(ends, (pair.low, pair.high), strict=True):
            if abs(value) < limit:
                panel.plot(end, row, color=color, marker="|", markersize=7, markeredgewidth=1.4)
    if abs(pair.difference) <= limit:
        panel.plot(pair.difference, row, **loss_style.marked(linestyle="none", markersize=6))
    arrow: dict[str, Any] = {"color": color, "markersize": 6, "clip_on": False, "zorder": 4}
    for sign, marker in ((-1, "<"), (1, ">")):
        if any(sign * value > limit for value in (pair.difference, pair.low, pair.high)):
            panel.plot(sign * limit, row, marker=marker, **arrow)


def _write_beside(panel: Axes, pairs: Sequence[Pair], metric: str) -> None:
    """Writes the numbers of each row beside it, and the verdicts in a column at their right."""
    numbers = [
        interval_text(metric, pair.difference, pair.low, pair.high, unit=False) for pair in pairs
    ]
    columns: dict[float, list[str]] = {_GAP: numbers}
    if panel_layout.width() >= _MIN_WIDTH:
        columns[2 * _GAP + 72 * max(map(inches, numbers))] = [pair.verdict for pair in pairs]
    place: dict[str, Any] = {"xycoords": panel.get_yaxis_transform(), "textcoords": "offset points"}
    for offset, texts in columns.items():
        for row, text in enumerate(texts):
            panel.annotate(text, (1, row), (offset, 0), va="center", **place)


def _label(panel: Axes, pairs: Sequence[Pair], comparison: TunedComparison, limit: float) -> None:
    style.rows(panel, [label(pair.loss, panel_layout.name_width()) for pair in pairs])
    panel.tick_params(axis="y", pad=9)
    panel.set_xlim(-limit, limit)
    style.few_ticks(panel.xaxis, 6)
    if words.is_share(comparison.metric):
        panel.xaxis.set_major_formatter(POINTS)
    reference = fit(comparison.record.reference, 1.5)
    unit = " (points)" if words.is_share(comparison.metric) else ""
    text = f"{comparison.label} minus that of {reference}{unit}"
    panel.set_xlabel(label(text, 0.5 * panel_layout.width()))
    sides = ("worse", "better") if comparison.record.higher_is_better else ("better", "worse")
    beside: dict[str, Any] = {"transform": panel.transAxes, "color": style.GRAY}
    panel.text(0, 1.02, f"← {sides[0]}", ha="left", **beside)
    panel.text(1, 1.02, f"{sides[1]} →", ha="right", **beside)


# A function of this module, so that a figure can be sent to another process.
def _points(value: float, _: int | None) -> str:
    return difference_number("accuracy", value).removesuffix(".0")


POINTS = FuncFormatter(_points)
