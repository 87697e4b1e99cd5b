"""A replayed torch loss has the value and the gradient of torch itself."""

import copy

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import torch_losses  # noqa: E402

from landscape.interop.torch_recognition import adapted  # noqa: E402


def torch_value_and_gradient(loss, predictions, targets):
    leaf = predictions.clone().requires_grad_()
    value = loss(leaf, targets)
    gradient = torch.zeros_like(leaf)
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach().numpy(), gradient.numpy()


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")
@pytest.mark.parametrize(
    ("loss", "kind"),
    torch_losses.LOSSES,
    ids=[f"{torch_losses.name(loss)}-{kind}" for loss, kind in torch_losses.LOSSES],
)
def test_value_and_gradient_are_those_of_torch(loss, kind):
    predictions, targets = torch_losses.data(kind)
    in_double = copy.deepcopy(loss).double() if isinstance(loss, torch.nn.Module) else loss
    value, gradient = torch_value_and_gradient(in_double, predictions, targets)
    function = adapted(loss)
    assert function is not loss
    with jax.enable_x64(True):
        pull_back = jax.jit(jax.value_and_grad(lambda p, t: function(p, t).sum()))
        replayed, slopes = pull_back(predictions.numpy(), targets.numpy())
    tolerance = 1e-12 if value.dtype == np.float64 else 1e-6
    np.testing.assert_allclose(replayed, value.sum(), rtol=tolerance)
    np.testing.assert_allclose(slopes, gradient, rtol=1e-11, atol=1e-14)
