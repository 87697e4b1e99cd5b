"""Rays against NumPy: a risk that is a known function of its own parameters."""

import jax.numpy as jnp
import numpy as np

from landscape.parts.models import Model
from landscape.rays import ray_tracer
from landscape.risk import Examples

RNG = np.random.default_rng(6)
SCALES = RNG.normal(size=(11, 3))

itself = Model(
    init=lambda key: {"w": jnp.zeros(3)},
    apply=lambda params, inputs: inputs * params["w"][None],
    filter_axes=lambda params: {"w": None},
)


def quartic(predictions, targets):
    return jnp.sum(predictions**4, axis=1) + targets * predictions[:, 0] ** 2


def test_halves_slope_curvature_and_bend_are_exact():
    inputs = SCALES.astype(np.float32)
    targets = RNG.normal(size=11).astype(np.float32)
    w = RNG.normal(size=3).astype(np.float32)
    directions = RNG.normal(size=(4, 3)).astype(np.float32)
    places = RNG.normal(size=(2, 5))
    trace = ray_tracer(quartic, itself, batch_size=2)
    found = trace(
        {"w": jnp.asarray(w)},
        [{"w": jnp.asarray(d)} for d in directions],
        [3, 1],
        places,
        Examples(jnp.asarray(inputs), jnp.asarray(targets)),
    )
    x, t, w, d = (a.astype(np.float64) for a in (inputs, targets, w, directions))

    def risk(point, half):
        made = x[half] * point
        return np.mean(np.sum(made**4, axis=1) + t[half] * made[:, 0] ** 2)

    first, second, both = slice(0, 5), slice(5, 10), slice(0, 10)
    for row, number in enumerate([3, 1]):
        for column in range(5):
            point = w + places[row, column] * d[number]
            np.testing.assert_allclose(found.first[row, column], risk(point, first), rtol=1e-12)
            np.testing.assert_allclose(found.second[row, column], risk(point, second), rtol=1e-12)
    np.testing.assert_array_equal(found.risk, (found.first + found.second) / 2)
    fourth = np.mean(x[both] ** 4, axis=0)
    square = np.array([np.mean(t[both] * x[both][:, 0] ** 2), 0, 0])
    gradient = 4 * fourth * w**3 + 2 * square * w
    hessian = np.diag(12 * fourth * w**2 + 2 * square)
    np.testing.assert_allclose(found.slope, d @ gradient, rtol=1e-10)
    np.testing.assert_allclose(found.curvature, np.sum(d @ hessian * d, axis=1), rtol=1e-10)
    np.testing.assert_allclose(found.bend, np.linalg.norm(d @ hessian, axis=1), rtol=1e-10)
