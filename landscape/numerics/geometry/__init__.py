"""Numbers from slices, free of the unit of the loss: of lines, of planes, and of their minima."""

from landscape.numerics.geometry import lines as _lines
from landscape.numerics.geometry import planes as _planes
from landscape.numerics.geometry.lines import (
    Kinks,
    Width,
    achieved_drop,
    asymmetry,
    barrier_height,
    basin_width,
    describe_lines,
    kinks,
    local_minima,
    negative_curvature_share,
    normalized_variation,
    plateau_share,
    relative_rise,
    roughness,
    second_difference_energy,
    smad,
)
from landscape.numerics.geometry.persistence import persistence
from landscape.numerics.geometry.planes import (
    basin_share,
    border_rise,
    convexity_ratio,
    describe_plane,
    nonconvex_share,
    plane_local_minima,
    plane_smad,
    total_persistence,
)

# One sentence for every number of `describe_lines` and `describe_plane`, and of `barrier_height`.
DEFINITIONS: dict[str, str] = {**_lines.DEFINITIONS, **_planes.DEFINITIONS}

__all__ = [
    "DEFINITIONS",
    "Kinks",
    "Width",
    "achieved_drop",
    "asymmetry",
    "barrier_height",
    "basin_share",
    "basin_width",
    "border_rise",
    "convexity_ratio",
    "describe_lines",
    "describe_plane",
    "kinks",
    "local_minima",
    "negative_curvature_share",
    "nonconvex_share",
    "normalized_variation",
    "persistence",
    "plane_local_minima",
    "plane_smad",
    "plateau_share",
    "relative_rise",
    "roughness",
    "second_difference_energy",
    "smad",
    "total_persistence",
]
