"""Two-dimensional slices: which plane of a loss is drawn, and on what scale."""

from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from landscape.report import checks, words
from landscape.report.figures.line_panels import HEAVY
from landscape.report.figures.paths import TrainingPath, path
from landscape.report.figures.style import few_ticks, plain, shorten
from landscape.report.figures.view import Array, View, typical
from landscape.report.results import StoredRun
from landscape.report.sets import Set

COLORS = colormaps["viridis"]
# Heights above the 95th percentile are cut when they stretch the scale by more than this factor.
_STRETCH = 2.5
_ROUNDING = 1e-6
# Axes whose cosine exceeds this are not at right angles, so that the plane is drawn askew.
_ASKEW = 0.1


class Plane(NamedTuple):
    """One plane of one run: x (Px,), y (Py,), values (Py, Px), and where the gradient is zero.

    `draw` is its number of how many draws, counted from 1; `axes` are what the axes are called,
    `extremes` the smallest and the largest eigenvalue of the
    Hessian at each cell, `failed` the run's checks of this set that failed.
    """

    loss: str
    seed: int | None
    draw: tuple[int, int]
    x: Array
    y: Array
    values: Array
    metric: Array | None
    zero_gradient: Array | None
    axes: tuple[str, str]
    cosine: float
    path: TrainingPath | None
    extremes: tuple[Array, Array] | None
    failed: tuple[str, ...]


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


def planes(view: View, chosen: Set, at: str) -> list[Plane]:
    """Every draw of each loss's planes in a set, of the runs that are `typical`."""
    name = chosen.array(at, "risk")
    having = {loss: [r for r in runs if name in r.slices] for loss, runs in view.runs.items()}
    return [
        plane
        for loss, run in typical(view, having).items()
        for plane in _draws(view, loss, run, chosen, at)
    ]


def _draws(view: View, loss: str, run: StoredRun, chosen: Set, at: str) -> list[Plane]:
    def array(name: str) -> Array | None:
        found = run.slices.get(chosen.array(at, name))
        return None if found is None else np.asarray(found, dtype=np.float64)

    x, y, risk = array("x"), array("y"), array("risk")
    if x is None or y is None or risk is None or risk.shape[1:] != (len(y), len(x)):
        return []
    if min(len(x), len(y)) < 2:
        return []
    measured = {
        name: values
        for name in (view.metric, "dead/weights", "eigenvalue/smallest", "eigenvalue/largest")
        if (values := array(name)) is not None and values.shape == risk.shape
    }
    cosine = array("cosine")
    known = cosine is not None and cosine.shape == risk.shape[:1]
    axes, way = _axes(chosen, at, array("explained")), path(run, chosen, at)
    failed = tuple(checks.failed([run], chosen.where(at)))

    def draw(number: int) -> Plane:
        one = {name: values[number] for name, values in measured.items()}
        weights = one.get("dead/weights")
        smallest, largest = one.get("eigenvalue/smallest"), one.get("eigenvalue/largest")
        return Plane(
            loss=loss,
            seed=run.seed,
            draw=(number + 1, len(risk)),
            x=x,
            y=y,
            values=risk[number],
            metric=one.get(view.metric),
            zero_gradient=None if weights is None else np.asarray(weights >= 1.0, dtype=np.float64),
            axes=axes,
            cosine=float(cosine[number]) if known and cosine is not None else np.nan,
            path=way if number == 0 else None,
            extremes=None if smallest is None or largest is None else (smallest, largest),
            failed=failed,
        )

    return [draw(number) for number in range(len(risk))]


def _axes(chosen: Set, at: str, explained: Array | None) -> tuple[str, str]:
    """`eigenvector`, `trajectory 1 (83 % of the path)`; two alike are numbered."""
    names = [direction.called(at) for direction in chosen.directions]
    if names[0] == names[1]:
        names = [f"{name} {number}" for number, name in enumerate(names, 1)]
    shares = explained if explained is not None and explained.shape == (2,) else [np.nan] * 2
    texts = [
        f"{name} ({words.percent(share)} % of the path)" if np.isfinite(share) else name
        for name, share in zip(names, shares, strict=True)
    ]
    return texts[0], texts[1]


def title(plane: Plane, *more: str) -> str:
    """The loss, and under it seed and draw, what a reader must know of the axes, failed checks."""
    seed = drawn(plane)
    askew = f"cosine {words.minus(f'{plane.cosine:.2f}')}" if abs(plane.cosine) > _ASKEW else ""
    second = ", ".join(filter(None, (seed, *more, askew)))
    lines = [shorten(plane.loss, 24), second, shorten(checks.mark(plane.failed), 32)]
    return "\n".join(plain(line) for line in lines if line)


def finish(panel: Axes, plane: Plane, *more: str) -> None:
    """The cross at the point, the frame, its ticks, and the title, over what was drawn."""
    panel.plot(0, 0, marker="+", color="white", markersize=11, markeredgewidth=3)
    panel.plot(0, 0, marker="+", color="black", markersize=9, markeredgewidth=1.3)
    panel.set_xlim(plane.x[0], plane.x[-1])
    panel.set_ylim(plane.y[0], plane.y[-1])
    few_ticks(panel.xaxis)
    few_ticks(panel.yaxis)
    panel.set_title(title(plane, *more), loc="left")


def drawn(plane: Plane) -> str:
    """`seed 1, draw 2 of 3`, without what there is one of."""
    number, count = plane.draw
    seed = "" if plane.seed is None else f"seed {plane.seed}"
    return ", ".join(filter(None, (seed, f"draw {number} of {count}" if count > 1 else "")))


def cut(height: Heights) -> str:
    """What was done to the scale of a plane, for its title."""
    if height.logarithmic:
        return "logarithmic"
    return f"{words.percent(height.share)} % cut" if height.share else ""


def above(found: list[Plane]) -> float:
    """Inches above each panel that the longest title takes."""
    return 0.45 + 0.15 * any(plane.failed for plane in found)
