"""A task that is none of the menu: an angle, of which 1 and 359 degrees are neighbors."""

import jax
import jax.numpy as jnp
import numpy as np

from landscape.parts.datasets import Dataset, Split
from landscape.parts.metrics import Metric


def wind(seed: int, *, size: int = 1200, noise: float = 0.3) -> Dataset:
    """The direction of a wind around a moving low: angles (n,) in radians from -pi to pi."""
    random = np.random.default_rng(seed)
    places, low = random.uniform(-1, 1, (2, size, 2))
    x, y = (places - low).T
    angles = np.arctan2(x, -y) + noise * random.standard_normal(size)
    angles = np.angle(np.exp(1j * angles)).astype(np.float32)
    inputs = np.concatenate([places, low], axis=1).astype(np.float32)
    first = 3 * size // 4
    train, test = Split(inputs[:first], angles[:first]), Split(inputs[first:], angles[first:])
    return Dataset(train=train, test=test, task="custom", outputs=2)


def one_minus_cosine(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """1 - cos(predicted angle - angle): 359 degrees are as near to 0 as 1 degree is."""
    directions = jnp.stack([jnp.cos(targets), jnp.sin(targets)], axis=1)
    lengths = jnp.sqrt(jnp.sum(predictions**2, axis=1) + 1e-6)
    return 1 - jnp.sum(predictions * directions, axis=1) / lengths


def difference_of_angles(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    """(predicted angle - angle)^2, a mistake: it jumps where the angle passes 180 degrees."""
    return (jnp.arctan2(predictions[:, 1], predictions[:, 0]) - targets) ** 2


def mean_angle() -> Metric:
    """Mean angle between prediction and target in degrees, from 0 to 180."""

    def score(snapshot):
        predicted = jnp.arctan2(snapshot.predictions[:, 1], snapshot.predictions[:, 0])
        difference = jnp.abs(predicted - snapshot.targets)
        return jnp.degrees(jnp.mean(jnp.minimum(difference, 2 * jnp.pi - difference)))

    return Metric(score, higher_is_better=False, best=0.0, worst=180.0)
