"""What models of series and tokens share: their inputs, and predictions for each position."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError


def check_series(model: str, input_shape: tuple[int, ...], vocabulary: int | None) -> None:
    """Raises UserError unless inputs are series `(time, channels)` or tokens `(time,)`."""
    if len(input_shape) != (2 if vocabulary is None else 1):
        raise UserError(
            f"the dataset has inputs of shape {tuple(input_shape)}; model `{model}` takes series "
            "(time, channels) or tokens (time,)",
            hint="if they are tokens, set `tokens: true` of the dataset; else use `mlp`, which "
            "takes any shape, or `cnn` for images",
        )


def per_position(input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> bool:
    """Returns whether a prediction is `(time, classes)`: one for each position of its input."""
    return len(output_shape) > 1 and output_shape[0] == input_shape[0]


def head_size(input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
    """Returns the number of outputs of the last layer, for a position or for the whole series."""
    shape = output_shape[1:] if per_position(input_shape, output_shape) else output_shape
    return math.prod(shape)


class Tokens(eqx.Module):
    """The column of `weight` (width, vocabulary) of each token, as a matrix product of one-hot.

    Scaled by sqrt(vocabulary), so that entries begin with variance 1.
    """

    weight: jax.Array

    def __init__(self, vocabulary: int, width: int):
        self.weight = jnp.zeros((width, vocabulary), jnp.float32)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        return math.sqrt(self.weight.shape[1]) * self.weight.T[tokens]


def sinusoids(time: int, width: int) -> np.ndarray:
    """Returns (time, width) sines and cosines of positions (Vaswani et al. 2017, section 3.5)."""
    rates = 10000.0 ** (-2 * (np.arange(width) // 2) / width)
    angles = np.arange(time)[:, None] * rates
    return np.where(np.arange(width) % 2, np.cos(angles), np.sin(angles)).astype(np.float32)
