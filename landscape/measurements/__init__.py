"""What is measured around the points of one run: its slices, its curvature, and their checks."""

from landscape.measurements.curved import curvature_of
from landscape.measurements.riding import checked
from landscape.measurements.sets import Slice, slice_sets
from landscape.measurements.surroundings import Surroundings, Training

__all__ = [
    "Slice",
    "Surroundings",
    "Training",
    "checked",
    "curvature_of",
    "slice_sets",
]
