"""Where on a plane the risk is not convex, by the Hessian's extreme eigenvalues at each cell."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from landscape.numerics.geometry import convexity_ratio, nonconvex_share
from landscape.numerics.geometry.planes import NONCONVEX
from landscape.report import checks, words
from landscape.report.figures.contours import label_axes, layout, plane_title
from landscape.report.figures.plane_panels import Plane, finish, planes
from landscape.report.figures.style import WIDTH, columns_for, panels
from landscape.report.figures.view import Picture, View
from landscape.report.sets import PLACES, Set

_COLORS = colormaps["magma_r"]
_UNKNOWN = "#9fb4c7"


def convexity(view: View, chosen: Set, at: str) -> Picture | None:
    """A map of the ratio of the eigenvalues for each loss, all on one scale."""
    found = [plane for plane in planes(view, chosen, at) if plane.extremes is not None]
    if not found:
        return None
    columns = columns_for(len(found), 3)
    figure, axes = panels(len(found), layout(found, columns))
    unknown = False
    for panel, plane in zip(axes, found, strict=True):
        assert plane.extremes is not None
        ratio = np.ma.masked_invalid(np.minimum(convexity_ratio(*plane.extremes), 1.0))
        unknown = unknown or bool(np.ma.is_masked(ratio))
        panel.set_facecolor(_UNKNOWN)
        panel.grid(visible=False)
        panel.pcolormesh(
            plane.x,
            plane.y,
            ratio,
            cmap=_COLORS,
            norm=Normalize(0, 1),
            shading="nearest",
            rasterized=True,
        )
        finish(panel, plane, _share(plane))
    label_axes(axes, found, columns)
    _scale(figure)
    return Picture(
        chosen.file("convexity", at),
        plane_title(view, "Where the risk is not convex, on a plane", chosen, at),
        _caption(found, at, unknown),
        "Maps of the ratio of the smallest to the largest eigenvalue, one panel a loss.",
        figure,
        "planes",
    )


def _share(plane: Plane) -> str:
    assert plane.extremes is not None
    share = nonconvex_share(*plane.extremes)
    return f"{words.percent(share)} % not convex" if np.isfinite(share) else "no eigenvalue"


def _scale(figure: Figure) -> None:
    """One color scale for all panels, since the ratio has no unit."""
    tall = figure.get_figheight()
    lowest = min(axes.get_position().y0 for axes in figure.axes)
    highest = max(axes.get_position().y1 for axes in figure.axes)
    height = min(highest - lowest, 2.0 / tall)
    right = max(axes.get_position().x1 for axes in figure.axes)
    axes = figure.add_axes((right + 0.16 / WIDTH, highest - height, 0.09 / WIDTH, height))
    axes.grid(visible=False)
    bar = figure.colorbar(
        mappable=_mappable(), cax=axes, ticks=[0, 0.25, 0.5, 0.75, 1], format="%g"
    )
    bar.ax.tick_params(width=0.5, length=2, pad=2)
    bar.set_label(r"$|\lambda_{min} / \lambda_{max}|$", labelpad=1)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)


def _mappable():  # type: ignore[no-untyped-def]
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(Normalize(0, 1), _COLORS)


def _caption(found: list[Plane], at: str, unknown: bool) -> str:
    return (
        "|smallest / largest| eigenvalue of the Hessian of the risk at each cell where the "
        "smallest is negative, else 0, around "
        f"{PLACES[at]} (the cross): 0 is convex there, 1 is as concave as convex or more. It has "
        "no unit, so all losses are on one scale. The eigenvalues are those of all parameters, not "
        f"of the plane. Above each panel stands the share of cells above {NONCONVEX:g}."
        + (" Cells without eigenvalues are blue-grey." if unknown else "")
        + " After Li et al., Visualizing the Loss Landscape of Neural Nets (2018), who map the "
        "ratio at convex cells as well."
        + checks.sentence({plane.loss: plane.failed for plane in found})
    )
