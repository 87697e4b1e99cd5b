"""Which values are losses of torch, and how their arguments and options are read."""

import inspect
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import torch_losses  # noqa: E402
from torch import nn  # noqa: E402

from landscape import catalog  # noqa: E402
from landscape.interop.torch_recognition import adapted, is_torch  # noqa: E402
from landscape.numerics.loss_arguments import loss_arguments  # noqa: E402

FOLDER = Path(__file__).parent


def methods_only(pred, target):
    return (pred - target).abs().detach().mean()


def either(pred, target):
    return ((pred - target) ** 2).mean()


def with_jax(pred, target):
    return jnp.mean((pred - target) ** 2)


class Callable:
    def __call__(self, pred, target):
        return torch.mean(pred - target)


class Swapped(nn.Module):
    def __init__(self, power, scale=1.0):
        super().__init__()
        self.power, self.scale = power, scale

    def forward(self, y_true, y_pred):
        return (self.scale * (y_pred - 2 * y_true).abs() ** self.power).mean()


@pytest.mark.parametrize(
    "value",
    [
        nn.MSELoss,
        nn.MSELoss(),
        nn.functional.mse_loss,
        nn.functional.cosine_similarity,
        torch_losses.iou_loss,
        torch_losses.StraightThroughRound,
        methods_only,
        Callable(),
    ],
)
def test_values_of_torch_are_recognized(value):
    assert is_torch(value)
    assert adapted(value) is adapted(value)
    assert adapted(adapted(value)) is adapted(value)


@pytest.mark.parametrize("value", [optax.l2_loss, jnp.tanh, with_jax, either, float, np.mean, 3])
def test_other_values_are_not(value):
    assert not is_torch(value)
    assert adapted(value) is value


def test_options_of_a_class_are_those_of_its_constructor():
    parameters = inspect.signature(adapted(Swapped)).parameters
    assert list(parameters) == ["y_true", "y_pred", "power", "scale"]
    assert loss_arguments(adapted(Swapped), options=["power"]).targets_first
    part = catalog.Spec("torch_losses.py:FocalLoss", {"gamma": 1.0})
    focal = catalog.build("losses", part, folder=FOLDER)
    predictions, targets = np.array([0.3, -2.0], np.float32), np.array([1.0, 0.0], np.float32)
    expected = torch_losses.FocalLoss(gamma=1.0)(torch.tensor(predictions), torch.tensor(targets))
    np.testing.assert_allclose(focal(predictions, targets), expected, rtol=1e-6)


def test_a_list_of_a_config_is_a_tensor_where_torch_takes_one():
    predictions, labels = np.eye(3, dtype=np.float32), np.array([0, 2, 1])
    weight = torch.tensor([1.0, 2.0, 0.5])
    tensors = torch.tensor(predictions), torch.tensor(labels)
    expected = nn.CrossEntropyLoss(weight=weight)(*tensors)
    for loss in (nn.CrossEntropyLoss, nn.functional.cross_entropy):
        value = adapted(loss)(predictions, labels, weight=[1, 2, 0.5])
        np.testing.assert_allclose(value, expected, rtol=1e-6)


def test_gradient_of_predictions_that_are_the_second_argument():
    import jax

    loss = adapted(Swapped(2))
    gradient = jax.grad(loss, argnums=1)(jnp.ones(2), jnp.full(2, 5.0))
    np.testing.assert_allclose(gradient, [3.0, 3.0])  # mean of (p - 2)^2 at 5


def test_torch_is_not_imported_for_a_loss_of_jax():
    program = (
        "import sys; from landscape import catalog\n"
        "catalog.build('losses', catalog.Spec('hinge'), folder='.', task='binary')\n"
        "from landscape.audit import audit; import optax; audit(optax.l2_loss, task='regression')\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=FOLDER.parent.parent)
