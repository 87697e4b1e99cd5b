"""Models: `name(input_shape, outputs, *, options) -> Model`, from a dataset's shapes.

Tables have shape `(features,)`, images are channels-first `(channels, height, width)`.
"""

from landscape.parts.models._adapters.any_model import as_model
from landscape.parts.models._adapters.filter_axes import filter_axes as chosen_filter_axes
from landscape.parts.models._adapters.shapes import ModelShapes
from landscape.parts.models._build import Model, TrainingMode
from landscape.parts.models._initialization import scale_weights
