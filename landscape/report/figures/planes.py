"""Two-dimensional slices: which plane of a loss is drawn, and on what scale."""

from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import FuncFormatter

from landscape.report import words
from landscape.report.figures.lines import HEAVY
from landscape.report.figures.style import (
    plain,
    shorten,
)
from landscape.report.figures.view import Array, View
from landscape.report.results import Run

COLORS = colormaps["viridis"]
# Heights above the 95th percentile are cut when they stretch the scale by more than this factor.
_STRETCH = 2.5
_ROUNDING = 1e-6


class Plane(NamedTuple):
    """One plane of one run: x (Px,), y (Py,), values (Py, Px), and where the gradient is zero."""

    loss: str
    seed: int | None
    x: Array
    y: Array
    values: Array
    metric: Array | None
    zero_gradient: Array | None


class Heights(NamedTuple):
    """Heights ready to draw, masked where not finite.

    `values` are the risks or, where `logarithmic`, their decimal logarithms; `low` and `high`
    are the ends of the scale; `share` of the finite cells were cut at `high`.
    """

    values: np.ma.MaskedArray
    low: float
    high: float
    share: float = 0.0
    logarithmic: bool = False

    @property
    def flat(self) -> bool:
        return self.high - self.low <= _ROUNDING * max(abs(self.low), abs(self.high))

    @property
    def ticks(self) -> FuncFormatter:
        """Numbers beside the scale, always in the risk's own units."""
        if self.logarithmic:
            return FuncFormatter(lambda value, _: words.scientific(10.0**value))
        return FuncFormatter(lambda value, _: words.tick(value))


def heights(values: Array) -> Heights:
    """The scale of a plane: logarithmic, cut, or neither.

    Positive risks that tower over their median (a factor of 20 at the 95th percentile) go on a
    logarithmic scale and are not cut. Others are cut at the 95th percentile where the cells
    above it would stretch the scale by a factor of more than 2.5.
    """
    masked = np.ma.masked_invalid(values)
    if not masked.count():
        return Heights(masked, 0.0, 0.0)
    finite = masked.compressed()
    low, most = float(finite.min()), float(finite.max())
    middle, high = (float(value) for value in np.percentile(finite, [50, 95]))
    if low > 0 and high > HEAVY * middle:
        return Heights(np.ma.log10(masked), np.log10(low), np.log10(most), logarithmic=True)
    if high <= low or most - low <= _STRETCH * (high - low):
        return Heights(masked, low, most)
    return Heights(np.ma.minimum(masked, high), low, high, float(np.mean(finite > high)))


def planes(view: View, at: str) -> list[Plane]:
    """The first plane of each loss, all of one seed where there is one that all losses have.

    Losses of one seed share their directions, so that their planes can be compared.
    """
    name = f"{at}/planes/risk"
    having = {loss: [r for r in runs if name in r.slices] for loss, runs in view.runs.items()}
    having = {loss: runs for loss, runs in having.items() if runs}
    seed = _typical_seed(view, having)
    found = []
    for loss, runs in having.items():
        chosen = [run for run in runs if run.seed == seed] or [_median_run(view, runs)]
        found.append(_plane(view, loss, chosen[0], at))
    return [plane for plane in found if plane is not None]


def _typical_seed(view: View, having: dict[str, list[Run]]) -> int | None:
    """The shared seed whose runs rank closest to the median of their losses."""
    if not having:
        return None
    shared = set.intersection(*({run.seed for run in runs} for runs in having.values()))
    distance: dict[int, float] = {seed: 0.0 for seed in shared if seed is not None}
    for runs in having.values():
        ranked = sorted(runs, key=lambda run: (run.outcome(view.metric), run.seed or 0))
        for rank, run in enumerate(ranked):
            if run.seed in distance:
                distance[run.seed] += abs(rank - (len(ranked) - 1) / 2)
    return min(distance, key=lambda seed: (distance[seed], seed), default=None)


def _median_run(view: View, runs: list[Run]) -> Run:
    """The run whose final metric is the (lower) median."""
    ranked = sorted(runs, key=lambda run: (run.outcome(view.metric), run.seed or 0))
    return ranked[(len(ranked) - 1) // 2]


def _plane(view: View, loss: str, run: Run, at: str) -> Plane | None:
    arrays = {
        name: run.slices.get(f"{at}/planes/{name}")
        for name in ("x", "y", "risk", view.metric, "dead/weights")
    }
    x, y, risk = arrays["x"], arrays["y"], arrays["risk"]
    if x is None or y is None or risk is None or risk.shape[1:] != (len(y), len(x)):
        return None
    if min(len(x), len(y)) < 2:
        return None
    metric, weights = (
        None if array is None else array[0].astype(np.float64)
        for array in (arrays[view.metric], arrays["dead/weights"])
    )
    zero = None if weights is None else np.asarray(weights >= 1.0, dtype=np.float64)
    x, y = x.astype(np.float64), y.astype(np.float64)
    return Plane(loss, run.seed, x, y, risk[0].astype(np.float64), metric, zero)


def title(plane: Plane, height: Heights) -> str:
    seed = "" if plane.seed is None else f"seed {plane.seed}"
    cut = f"{words.percent(height.share)} % cut" if height.share else ""
    cut = "logarithmic" if height.logarithmic else cut
    return f"{plain(shorten(plane.loss, 24))}\n{', '.join(part for part in (seed, cut) if part)}"
