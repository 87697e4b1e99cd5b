"""What is measured around the points of one run: its slices, its curvature, and their checks."""

from landscape.run.measurements.curvature_record import curvature_of
from landscape.run.measurements.measured_point import MeasuredPoint, Training
from landscape.run.measurements.slice_checks import checked
from landscape.run.measurements.slice_sets import Slice, slice_sets

__all__ = [
    "MeasuredPoint",
    "Slice",
    "Training",
    "checked",
    "curvature_of",
    "slice_sets",
]
