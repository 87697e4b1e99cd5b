"""Where a function has a kink or a tie, its gradient is that of torch, which JAX's often is not."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import torch.nn.functional as F  # noqa: E402, N812

from landscape.audit import audit  # noqa: E402
from landscape.interop.torch_recognition import adapted  # noqa: E402

# Each function of one array, and the array at which it is differentiated.
KINKS = {
    "abs": (lambda x: torch.abs(x).sum(), [0.0, 0.0]),
    "relu": (lambda x: torch.relu(x).sum(), [0.0, 0.0]),
    "maximum": (lambda x: torch.maximum(x, torch.zeros(2, dtype=x.dtype)).sum(), [0.0, 0.0]),
    "clamp_min": (lambda x: torch.clamp(x, min=0).sum(), [0.0, 0.0]),
    "clamp_both": (lambda x: torch.clamp(x, -1, 1).sum(), [1.0, 1.0]),
    "max_of_all": (lambda x: torch.max(x), [1.0, 1.0]),
    "max_along": (lambda x: torch.max(x, dim=0).values, [1.0, 1.0]),
    "amax": (lambda x: torch.amax(x, dim=0), [1.0, 1.0]),
    "topk": (lambda x: torch.topk(x, 1).values.sum(), [1.0, 1.0]),
    "sqrt": (lambda x: torch.sqrt(x).sum(), [0.0, 0.0]),
    "norm": (lambda x: torch.norm(x), [0.0, 0.0]),
    "power_half": (lambda x: (x**0.5).sum(), [0.0, 0.0]),
    "square": (lambda x: (x**2).sum(), [0.0, 0.0]),
    "hypotenuse": (lambda x: torch.sqrt(x * x).sum(), [0.0, 0.0]),
    "hardtanh": (lambda x: F.hardtanh(x).sum(), [1.0, 1.0]),
    "relu6": (lambda x: F.relu6(x).sum(), [6.0, 6.0]),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1).sum(), [0.0, 0.0]),
    "smooth_l1": (lambda x: F.smooth_l1_loss(x, torch.zeros_like(x), reduction="sum"), [1.0, 1.0]),
    "normalize": (lambda x: F.normalize(x, dim=0).sum(), [0.0, 0.0]),
    "sign": (lambda x: torch.sign(x).sum(), [0.0, 0.0]),
    "where_sqrt": (lambda x: torch.where(x > 0, torch.sqrt(x), 0 * x).sum(), [0.0, 0.0]),
    "xlogy": (lambda x: torch.xlogy(x, x).sum(), [0.0, 0.0]),
    "prod": (lambda x: torch.prod(x), [0.0, 2.0]),
    "std": (lambda x: torch.std(x), [1.0, 1.0]),
    "minimum": (lambda x: torch.minimum(x, x).sum(), [1.0, 1.0]),
    "median": (lambda x: torch.median(x), [1.0, 1.0]),
    "atan2": (lambda x: torch.atan2(x, x).sum(), [0.0, 0.0]),
    "logsumexp": (lambda x: torch.logsumexp(x, 0), [-np.inf, -np.inf]),
}


@pytest.mark.parametrize("name", KINKS)
def test_gradient_at_a_kink_is_that_of_torch(name):
    function, point = KINKS[name]
    leaf = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(function(leaf), leaf)
    with jax.enable_x64(True):
        gradient = jax.jit(jax.grad(adapted(function)))(np.array(point))
    np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-12)


def ranked(pred, target):
    """Numbers the places of the sorted targets, by an operation without operands."""
    order = target.argsort()
    steps = pred[order][1:] - pred[order][:-1]
    return F.relu(0.1 - steps).mean()


def test_the_slopes_at_a_kink_are_stated_for_a_loss_that_sorts_its_targets():
    codes = [finding.code for finding in audit(ranked, task="regression").findings]
    assert "D102" in codes
