"""Measurements around the points of one run: slices, curvature, and their checks.

The formulas belong to `numerics/`; this folder decides what is computed where, and names results.
"""

from landscape.run.measurements.curvature_record import curvature_at
from landscape.run.measurements.judgment import NOT_JUDGED, Judgment, best_number, judge
from landscape.run.measurements.measured_point import MeasuredPoint, Training
from landscape.run.measurements.slice_checks import check_slices
from landscape.run.measurements.slice_sets import SliceSet, slice_sets

__all__ = [
    "NOT_JUDGED",
    "Judgment",
    "MeasuredPoint",
    "SliceSet",
    "Training",
    "best_number",
    "check_slices",
    "curvature_at",
    "judge",
    "slice_sets",
]
