"""Maps where the risk on a plane is not convex, by the extreme eigenvalues of the Hessian."""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from landscape.numerics.geometry import NONCONVEX, eigenvalue_ratios, nonconvex_share
from landscape.report import words
from landscape.report.figures import panel_layout, plane_panels, style
from landscape.report.figures.plane_panels import Plane
from landscape.report.figures.view import Picture, View, joined
from landscape.report.sets import PLACES, StoredSet

_COLORS = colormaps["magma_r"]
_UNKNOWN_COLOR = "#9fb4c7"


def convexity(view: View, plane_set: StoredSet, point: str) -> Picture | None:
    """Draws a map of the eigenvalue ratio for each loss, all on one scale."""
    shown_planes = [
        plane for plane in plane_panels.planes(view, plane_set, point) if plane.extremes
    ]
    if not shown_planes:
        return None
    figure, axes = plane_panels.square_panels(len(shown_planes))
    unknown = False
    for panel, plane in zip(axes, shown_planes, strict=True):
        ratio = np.ma.masked_invalid(np.minimum(eigenvalue_ratios(*plane.extremes), 1.0))
        unknown = unknown or bool(np.ma.is_masked(ratio))
        panel.set_facecolor(_UNKNOWN_COLOR)
        panel.grid(visible=False)
        cells = panel.pcolormesh(plane.x, plane.y, ratio, shading="nearest", rasterized=True)
        style.color_cells(cells, _COLORS)
        smallest, largest = plane.extremes
        share = nonconvex_share(smallest, largest)
        text = f"{words.percent(share)} % not convex" if np.isfinite(share) else "no eigenvalue"
        plane_panels.finish(panel, plane, text)
    plane_panels.label_axes(axes, shown_planes)
    mappable = ScalarMappable(Normalize(0, 1), _COLORS)
    bar = panel_layout.color_scale(axes, mappable, ticks=[0, 0.25, 0.5, 0.75, 1])
    bar.set_label(r"$|\lambda_{min} / \lambda_{max}|$", labelpad=1)
    return Picture(
        plane_set.file("convexity", point),
        view.title("Where the risk is not convex, on a plane", plane_set, point),
        _caption(view, shown_planes, point, unknown),
        f"Maps of the ratio of the smallest to the largest eigenvalue, one panel per {view.row}.",
        figure,
        "planes",
    )


def _caption(view: View, shown_planes: list[Plane], point: str, unknown: bool) -> str:
    return joined(
        "|smallest / largest| eigenvalue of the Hessian of the risk at each cell if the smallest "
        f"is negative, else 0, around {PLACES[point]} (the cross): at 0 the risk is convex, at 1 "
        f"at least as concave as convex. The ratio has no unit, so all {view.rows} share one "
        "scale. The eigenvalues are those of the Hessian in all parameters, not only within the "
        f"plane. Above each panel is the share of cells above {NONCONVEX:g}.",
        unknown and "Cells without eigenvalues are blue-gray.",
        "After Li et al., Visualizing the Loss Landscape of Neural Nets (2018), who map the ratio "
        "at convex cells as well.",
        plane_panels.failed_sentence(shown_planes),
    )
