"""Curvature against another library, on symmetric matrices that exhaust no Krylov space."""

import jax
import jax.numpy as jnp
import matfree.decomp
import matfree.eig
import matfree.funm
import matfree.stochtrace
import numpy as np
import pytest

from landscape.numerics.curvature import extremes, mean_and_error, quadrature, traces
from landscape.numerics.loss import Targets
from landscape.numerics.risk import Examples

RNG = np.random.default_rng(12)
SIZE, ITERATIONS = 60, 30
BASIS = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0]
VALUES = np.r_[[9.0, 6.0, -3.0], RNG.uniform(-1, 1, SIZE - 3)]
MATRIX = jnp.asarray((BASIS * VALUES) @ BASIS.T, jnp.float32)
NONE = Examples(jnp.zeros(1), Targets(jnp.zeros(1)))
PARAMS = jnp.zeros(SIZE)


def product(params, vector, examples):
    return MATRIX @ vector


@pytest.fixture(scope="module", autouse=True)
def matfree_rules():
    """Allows rank promotion and warnings, which matfree needs."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def matvec(vector):
    return MATRIX @ vector


def test_outermost_eigenvalues():
    ours = extremes(product, count=2, iterations=ITERATIONS)(jax.random.key(0), PARAMS, NONE)
    solve = matfree.eig.eigh_partial(matfree.decomp.tridiag_sym(ITERATIONS))
    theirs = np.sort(np.asarray(solve(matvec, jax.random.normal(jax.random.key(1), (SIZE,)))[0]))
    np.testing.assert_allclose(ours.largest, theirs[::-1][:2], rtol=1e-4)
    np.testing.assert_allclose(ours.smallest[0], theirs[0], rtol=1e-4)


def test_trace_and_norm_with_their_errors():
    probes = 400
    sampler = matfree.stochtrace.sampler_signs(PARAMS, num=probes)
    kinds = (
        matfree.stochtrace.monte_carlo_trace(),
        matfree.stochtrace.monte_carlo_frobeniusnorm_squared(),
    )
    trace, square = (
        matfree.stochtrace.estimator_monte_carlo_mean_and_sem(kind, sampler)(
            matvec, jax.random.key(2)
        )
        for kind in kinds
    )
    ours = mean_and_error(traces(product, probes=probes)(jax.random.key(3), PARAMS, NONE))
    assert abs(ours.trace.value - trace[0]) < 5 * np.hypot(ours.trace.error, trace[1])
    np.testing.assert_allclose(ours.trace.error, trace[1], rtol=0.3)
    root = np.sqrt(square[0])
    assert abs(ours.frobenius.value - root) < 5 * np.hypot(
        ours.frobenius.error, square[1] / (2 * root)
    )


def test_quadrature_of_an_exponential():
    nodes, weights = quadrature(product, probes=200, iterations=15)(jax.random.key(4), PARAMS, NONE)
    samples = SIZE * np.sum(np.asarray(weights) * np.exp(np.asarray(nodes)), axis=1)
    integrand = matfree.funm.monte_carlo_funm_sym(
        matfree.funm.dense_funm_sym_eigh(jnp.exp), matfree.decomp.tridiag_sym(15)
    )
    sampler = matfree.stochtrace.sampler_signs(PARAMS, num=200)
    estimate = matfree.stochtrace.estimator_monte_carlo_mean_and_sem(integrand, sampler)
    value, error = estimate(matvec, jax.random.key(5))
    both = np.hypot(float(error), samples.std() / np.sqrt(len(samples)))
    assert abs(samples.mean() - float(value)) < 5 * both
    assert abs(samples.mean() - np.sum(np.exp(VALUES))) < 5 * both
