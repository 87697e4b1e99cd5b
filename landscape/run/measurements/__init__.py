"""Measurements around the points of one run: slices, curvature, and their checks.

The formulas belong to `numerics/`; this folder decides what is computed where, and names results.
"""

from landscape.run.measurements.curvature_record import curvature_at
from landscape.run.measurements.measured_point import MeasuredPoint, Training
from landscape.run.measurements.slice_checks import check_slices
from landscape.run.measurements.slice_sets import SliceSet, slice_sets

__all__ = [
    "MeasuredPoint",
    "SliceSet",
    "Training",
    "check_slices",
    "curvature_at",
    "slice_sets",
]
