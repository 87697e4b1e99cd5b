"""Points that were trained elsewhere: `name(*, options) -> TrainedPoint`."""

from landscape.parts.points._trained_point import TrainedPoint
