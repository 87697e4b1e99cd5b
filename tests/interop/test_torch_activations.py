"""Activations and layers of torch.nn, and a user's autograd.Function, are those of torch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

from torch import nn  # noqa: E402

from landscape.audit import audit  # noqa: E402
from landscape.interop.torch_recognition import adapted  # noqa: E402

POINTS = np.array([-4.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0, 25.0])
ACTIVATIONS = [
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.PReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
]


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.__name__)
def test_value_and_gradient_are_those_of_torch(activation):
    leaf = torch.tensor(POINTS, requires_grad=True)
    value = activation().double()(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    with jax.enable_x64(True):
        total, slopes = jax.jit(jax.value_and_grad(lambda x: adapted(activation)(x).sum()))(POINTS)
    np.testing.assert_allclose(total, value.sum().item(), rtol=1e-12)
    np.testing.assert_allclose(slopes, gradient.numpy(), rtol=1e-7)  # torch has 1/6 in float32


IN_JAX = {
    "CELU": jax.nn.celu,
    "ELU": jax.nn.elu,
    "GELU": functools.partial(jax.nn.gelu, approximate=False),
    "Hardshrink": lambda x: jnp.where(jnp.abs(x) > 0.5, x, 0.0),
    "Hardsigmoid": jax.nn.hard_sigmoid,
    "Hardswish": jax.nn.hard_swish,
    "Hardtanh": jax.nn.hard_tanh,
    "LeakyReLU": jax.nn.leaky_relu,
    "LogSigmoid": jax.nn.log_sigmoid,
    "Mish": jax.nn.mish,
    "PReLU": lambda x: jnp.where(x > 0, x, 0.25 * x),
    "ReLU": jax.nn.relu,
    "ReLU6": jax.nn.relu6,
    "SELU": jax.nn.selu,
    "SiLU": jax.nn.silu,
    "Sigmoid": jax.nn.sigmoid,
    "Softplus": jax.nn.softplus,
    "Softshrink": lambda x: jnp.sign(x) * jnp.maximum(jnp.abs(x) - 0.5, 0),
    "Softsign": jax.nn.soft_sign,
    "Tanh": jnp.tanh,
    "Tanhshrink": lambda x: x - jnp.tanh(x),
}


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda a: a.__name__)
def test_values_are_those_of_the_activation_in_jax(activation):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        expected = IN_JAX[activation.__name__](jnp.asarray(POINTS))
        values = adapted(activation)(POINTS)
    np.testing.assert_allclose(values, expected, rtol=1e-7, atol=1e-9)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.sign(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def test_an_activation_is_audited_with_the_gradient_of_its_own_backward():
    assert (
        audit(nn.Hardtanh, kind="activation").verdict
        == audit(jax.nn.hard_tanh, kind="activation", name="Hardtanh").verdict
    )
    codes = {finding.code for finding in audit(StraightThroughSign, kind="activation").findings}
    assert "G207" in codes  # the slope 1 is not that of the sign
