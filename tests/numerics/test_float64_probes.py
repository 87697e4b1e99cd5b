"""Rays against NumPy: a risk that is a known function of its own parameters."""

import jax.numpy as jnp
import numpy as np

from landscape.numerics.float64_probes import ray_tracer
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples
from landscape.parts.models import Model

RNG = np.random.default_rng(6)
SCALES = RNG.normal(size=(11, 3))

itself = Model(
    init=lambda key: {"w": jnp.zeros(3)},
    apply=lambda params, inputs: inputs * params["w"][None],
    filter_axes=lambda params: {"w": None},
)


def quartic(predictions, targets):
    return jnp.sum(predictions**4, axis=1) + targets * predictions[:, 0] ** 2


def test_halves_slope_curvature_and_norm_are_exact():
    inputs = SCALES.astype(np.float32)
    targets = RNG.normal(size=11).astype(np.float32)
    w = RNG.normal(size=3).astype(np.float32)
    directions = RNG.normal(size=(4, 3)).astype(np.float32)
    near, grid = RNG.normal(size=(2, 5)), RNG.normal(size=(2, 3))
    trace = ray_tracer(itself, batch_size=2)
    rays = trace(
        Loss(quartic),
        {"w": jnp.asarray(w)},
        {"w": directions},
        near,
        grid,
        Examples(jnp.asarray(inputs), Targets(jnp.asarray(targets))),
    )
    x, t, w, d = (a.astype(np.float64) for a in (inputs, targets, w, directions))

    def risk(point, part):
        outputs = x[part] * point
        return np.mean(np.sum(outputs**4, axis=1) + t[part] * outputs[:, 0] ** 2)

    assert rays.near.shape == (2, 5)
    for row in range(2):
        parts = (rays.near, near, slice(None)), (rays.first, grid, slice(0, 5))
        for values, places, part in (*parts, (rays.second, grid, slice(6, 11))):
            for column, place in enumerate(places[row]):
                exact = risk(w + place * d[row], part)
                np.testing.assert_allclose(values[row, column], exact, rtol=1e-12)
    fourth = np.mean(x**4, axis=0)
    square = np.array([np.mean(t * x[:, 0] ** 2), 0, 0])
    gradient = 4 * fourth * w**3 + 2 * square * w
    hessian = np.diag(12 * fourth * w**2 + 2 * square)
    np.testing.assert_allclose(rays.slope, d @ gradient, rtol=1e-10)
    np.testing.assert_allclose(rays.curvature, np.sum(d @ hessian * d, axis=1), rtol=1e-10)
    np.testing.assert_allclose(rays.product_norm, np.linalg.norm(d @ hessian, axis=1), rtol=1e-10)
