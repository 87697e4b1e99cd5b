"""The columns of a prediction that describes a distribution: read by losses and by metrics."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from landscape.errors import UserError


class Gaussian(NamedTuple):
    """Mean and standard deviation, each `(batch,)`, in the unit of the target."""

    mean: jax.Array
    scale: jax.Array


class Mixture(NamedTuple):
    """Log weights, means and standard deviations of components, each `(batch, components)`."""

    log_weights: jax.Array
    means: jax.Array
    scales: jax.Array


def gaussian(predictions: jax.Array, floor: float) -> Gaussian:
    """Returns mean = column 0 and scale = floor + softplus(column 1) of `(batch, 2)`.

    Raises UserError if there are not two columns.
    """
    if predictions.shape[-1] != 2:
        raise UserError(
            f"predictions have shape {predictions.shape}; expected (batch, 2): mean and raw scale",
            hint="the head of the model needs 2 outputs",
        )
    return Gaussian(predictions[:, 0], floor + jax.nn.softplus(predictions[:, 1]))


def mixture(predictions: jax.Array, floor: float) -> Mixture:
    """Returns the components of `(batch, 3 components)`: weight logits, means, raw scales.

    log weights = log_softmax(the first third), scales = floor + softplus(the last third). Raises
    UserError if the number of columns is not a multiple of 3.
    """
    columns = predictions.shape[-1]
    if columns == 0 or columns % 3:
        raise UserError(
            f"predictions have shape {predictions.shape}; expected (batch, 3 components): weight "
            "logits, means and raw scales",
            hint=f"the head of the model needs {3 * (columns // 3 + 1)} outputs, for instance",
        )
    logits, means, raw_scales = jnp.split(predictions, 3, axis=-1)
    return Mixture(jax.nn.log_softmax(logits), means, floor + jax.nn.softplus(raw_scales))
