"""Models that were trained elsewhere, as functions: one adapter per library.

from landscape import adapters
adapted = adapters.flax(model, variables)
adapted.apply(adapted.params, inputs)
"""

from landscape.adapters.adapted_model import AdaptedModel
from landscape.adapters.equinox_adapter import equinox
from landscape.adapters.flax_adapters import flax, nnx
from landscape.adapters.haiku_adapter import haiku
from landscape.adapters.keras_adapter import keras
from landscape.adapters.torch_adapter import torch
