"""Adaptive sharpness does not depend on the scale of ReLU units, unlike the Hessian."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.numerics import curvature
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples
from landscape.parts.losses import regression
from landscape.parts.models.dense import mlp

HIDDEN, INPUTS, COUNT = 5, 3, 16
RNG = np.random.default_rng(0)
EXAMPLES = Examples(
    jnp.asarray(RNG.normal(size=(COUNT, INPUTS)), jnp.float32),
    Targets(jnp.asarray(RNG.normal(size=COUNT), jnp.float32)),
)
MODEL = mlp((INPUTS,), 1, widths=[HIDDEN], activation="relu")


def params_of(first, bias, last, last_bias):
    """The model's own tree, with these arrays in the order of its leaves."""
    tree = jax.tree.structure(MODEL.init(jax.random.key(0)))
    arrays = (first, bias, last, last_bias)
    return jax.tree.unflatten(tree, [jnp.asarray(array, jnp.float32) for array in arrays])


WEIGHTS = (
    RNG.normal(size=(HIDDEN, INPUTS)),
    RNG.normal(size=HIDDEN),
    RNG.normal(size=(1, HIDDEN)),
    RNG.normal(size=1),
)


def rescaled(factors):
    """Incoming weights and bias of unit i times c_i, outgoing ones times 1 / c_i."""
    first, bias, last, last_bias = WEIGHTS
    return params_of(first * factors[:, None], bias * factors, last / factors, last_bias)


@functools.cache
def largest():
    """`(scale, params) -> float`: the largest eigenvalue of S H S, by Lanczos."""
    on_loss = curvature.hessian_product(MODEL, batch_size=COUNT)
    product = functools.partial(on_loss, Loss(regression.squared_error))

    def find(scale, params):
        scaled = curvature.scaled(product, scale)
        return curvature.extremes(scaled, count=1, iterations=40)(
            jax.random.key(0), params, EXAMPLES
        ).largest[0]

    return jax.jit(find)


@pytest.mark.parametrize("factors", [np.full(HIDDEN, 30.0), np.geomspace(0.05, 40, HIDDEN)])
def test_rescaling_units_changes_the_hessian_and_not_the_adaptive_sharpness(factors):
    before, after = rescaled(np.ones(HIDDEN)), rescaled(factors)
    predictions = [MODEL.apply(params, EXAMPLES.inputs) for params in (before, after)]
    np.testing.assert_allclose(*predictions, rtol=1e-4, atol=1e-4)
    adaptive, plain = (
        [float(largest()(jax.tree.map(scale, p), p)) for p in (before, after)]
        for scale in (jnp.abs, jnp.ones_like)
    )
    assert adaptive[1] == pytest.approx(adaptive[0], rel=1e-3)
    assert plain[1] > 10 * plain[0]


def test_adaptive_sharpness_is_the_formula_on_the_dense_hessian():
    first, bias, last, _ = WEIGHTS
    inputs = np.asarray(EXAMPLES.inputs, np.float64)
    active = (inputs @ first.T + bias > 0).astype(float)
    # Where no unit switches, the prediction is bilinear in both layers: gradient and Hessian of it,
    # in the order of the leaves, give the Hessian of the mean squared error.
    size = HIDDEN * INPUTS + HIDDEN + HIDDEN + 1
    predictions = (active * (inputs @ first.T + bias) @ last.T + WEIGHTS[3])[:, 0]
    residuals = predictions - np.asarray(EXAMPLES.targets.values)
    hessian = np.zeros((size, size))
    for x, on, residual in zip(inputs, active, residuals, strict=True):
        slope = np.concatenate(
            [np.outer(last[0] * on, x).ravel(), last[0] * on, on * (first @ x + bias), [1.0]]
        )
        mixed = np.zeros((size, size))
        for unit in range(HIDDEN):
            out = HIDDEN * INPUTS + HIDDEN + unit
            weights = slice(unit * INPUTS, (unit + 1) * INPUTS)
            mixed[weights, out] = on[unit] * x
            mixed[HIDDEN * INPUTS + unit, out] = on[unit]
        hessian += 2 * (np.outer(slope, slope) + residual * (mixed + mixed.T)) / COUNT
    scale = np.abs(np.concatenate([np.ravel(weight) for weight in WEIGHTS]))
    expected = np.linalg.eigvalsh(scale[:, None] * hessian * scale)[-1]
    params = rescaled(np.ones(HIDDEN))
    assert float(largest()(jax.tree.map(jnp.abs, params), params)) == pytest.approx(
        expected, rel=1e-4
    )
