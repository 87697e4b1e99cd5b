"""Activations and layers of torch.nn, and a user's autograd.Function, are those of torch."""

import jax
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
