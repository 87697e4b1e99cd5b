"""Convolutions against scipy, and their derivatives against those of XLA's convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.signal import correlate2d

from landscape.numerics.compiling import jit_once
from landscape.parts.models._convolution import convolve

RNG = np.random.default_rng(0)
CASES = [(3, 1, (7, 6)), (3, 2, (7, 8)), (5, 2, (9, 5)), (1, 1, (4, 4)), (3, 3, (8, 7))]


def xla(x, weight, stride):
    margin = weight.shape[-1] // 2
    padding = [(margin, margin)] * 2
    channels_first = x.transpose(2, 0, 1)[None]
    found = lax.conv_general_dilated(channels_first, weight, (stride, stride), padding)
    return found[0].transpose(1, 2, 0)


def draw(kernel, sides):
    return RNG.normal(size=(*sides, 3)), RNG.normal(size=(4, 3, kernel, kernel))


@pytest.mark.parametrize(("kernel", "stride", "sides"), CASES)
def test_values_are_those_of_scipy(kernel, stride, sides):
    x, weight = draw(kernel, sides)
    padded = np.pad(x.transpose(2, 0, 1), ((0, 0), *[(kernel // 2, kernel // 2)] * 2))
    wanted = [
        sum(correlate2d(padded[c], filters[c], mode="valid") for c in range(3))
        for filters in weight
    ]
    with jax.enable_x64(True):
        found = convolve(jnp.asarray(x), jnp.asarray(weight), stride)
    wanted = np.array(wanted)[:, ::stride, ::stride].transpose(1, 2, 0)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize(("kernel", "stride", "sides"), CASES)
def test_first_and_second_derivatives_are_those_of_the_convolution(kernel, stride, sides):
    x, weight = draw(kernel, sides)
    x_step, weight_step = draw(kernel, sides)

    def derivatives(convolution):
        def summed(x, w):
            return jnp.sum(jnp.sin(convolution(x, w, stride)))

        @jit_once
        def at(point, step):
            gradients = [jax.grad(summed, argnums)(*point) for argnums in (0, 1, (0, 1))]
            product = jax.jvp(jax.grad(summed, (0, 1)), point, step)[1]
            return gradients, product, jax.jvp(summed, point, step)[1]

        return at((x, weight), (x_step, weight_step))

    def assert_close(a, b, **tolerances):
        jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, **tolerances), a, b)

    with jax.enable_x64(True):
        gradients, products, slopes = zip(derivatives(convolve), derivatives(xla), strict=True)
        assert_close(*gradients, atol=1e-11)
        assert_close(*products, atol=1e-10)
        assert_close(*slopes, rtol=1e-11)
