"""Numbers of the lines and planes of a slice that do not depend on the unit of the loss.

One function per number, in a module per topic; its docstring is its only description, see
`definitions`. Whatever needs jax, files or the report's medians does not belong here.

No number changes when a loss is multiplied by a positive number or shifted by a constant (unless
the constant is so large that the shape is lost in rounding), when a line is reversed, or when a
plane is flipped or its axes are swapped. Heights are in units of the drop that training achieved,
or of the range of the line or plane.

`lines` is (K, P): K lines of P points each; `coordinates` is (P,), uniformly spaced and symmetric
around an exact 0 in the middle. A function of lines returns float64 of shape (K,). Unless its
docstring says otherwise, it is NaN for a line with a value that is not finite, and 0 for a line
whose range is rounding (below 1e-6 of its largest absolute value). `plane` is (Py, Px) with the
trained point in the middle; cells that are not finite are walls, which belong to no basin. A
function of a plane returns a float, NaN if no cell is finite.
"""

from landscape.numerics.geometry.barriers import barrier_height
from landscape.numerics.geometry.basin import achieved_drop, relative_rise
from landscape.numerics.geometry.definitions import DEFINITIONS
from landscape.numerics.geometry.negative_curvature import (
    NONCONVEX,
    eigenvalue_ratios,
    nonconvex_share,
)
from landscape.numerics.geometry.slice_numbers import describe_lines, describe_plane
from landscape.numerics.geometry.variation import roughness

__all__ = [
    "DEFINITIONS",
    "NONCONVEX",
    "achieved_drop",
    "barrier_height",
    "describe_lines",
    "describe_plane",
    "eigenvalue_ratios",
    "nonconvex_share",
    "relative_rise",
    "roughness",
]
