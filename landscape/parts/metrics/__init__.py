"""Metrics: a factory returns a `Metric`, which maps a snapshot to one scalar.

`Measurement` is what a run records besides: gradients, updates and dead units, which judge nothing.
"""

from landscape.parts.metrics._health import dead_gradients, gradient_norm, update_ratio
from landscape.parts.metrics._metric import Measurement, Metric, Snapshot, columns

__all__ = [
    "Measurement",
    "Metric",
    "Snapshot",
    "columns",
    "dead_gradients",
    "gradient_norm",
    "update_ratio",
]
