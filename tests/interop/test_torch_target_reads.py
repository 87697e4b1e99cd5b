"""What Python reads of the targets is that of each call, also in compiled programs."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import torch.nn.functional as F  # noqa: E402, N812

from landscape.interop.torch_evaluation import BoundCall  # noqa: E402
from landscape.interop.torch_recognition import adapted  # noqa: E402
from landscape.interop.torch_signature import Options  # noqa: E402


def masked(pred, target):
    mask = target > 0
    return F.mse_loss(pred[mask], target[mask])


def scaled(pred, target):
    return ((pred - target) ** 2).mean() / (target.abs().max().item() + 1e-8)


def balanced(pred, target):
    loss = 0.0
    for value in (0, 1):
        chosen = pred[target == value]
        if len(chosen) > 0:
            loss = loss + F.softplus((1 - 2 * value) * chosen).mean()
    return loss


def with_two_conditions(pred, target):
    positive, negative = target > 0.5, target <= 0.5
    loss = pred.sum() * 0
    if positive.any():
        loss = loss + F.softplus(-pred[positive]).mean()
    if negative.sum() == 0:
        return loss
    return loss + F.softplus(pred[negative]).mean()


def without_ignored(pred, target):
    valid = target != 2
    return F.cross_entropy(pred[valid], target[valid])


def up_to_largest(pred, target):
    classes = int(target.max()) + 1
    onehot = F.one_hot(target, classes).to(pred.dtype)
    return ((pred[:, :classes] - onehot) ** 2).mean()


def capped(pred, target):
    scale = min(float(target.abs().max()), 50.0)
    return F.mse_loss(pred / scale, target / scale)


def by_size(pred, target):
    loss = F.l1_loss if float(target.abs().max()) > 50 else F.mse_loss
    return loss(pred, target)


def standardized(pred, target):
    mean, deviation = float(target.mean()), float(target.std())
    return F.smooth_l1_loss((pred - mean) / deviation, (target - mean) / deviation)


def in_numpy(pred, target):
    weight = np.exp(-np.abs(target.numpy()))
    return (torch.as_tensor(weight) * (pred - target) ** 2).mean()


def looked_up(pred, target):
    scale = {300.0: 2.0}.get(target.max().item(), 1.0)
    return scale * F.mse_loss(pred, target)


NUMBERS = [[[0.5, -1.0], [2.0, 3.0]], [[0.0, 0.0], [0.0, 1.0]], [[-1.0, 2.0], [-2.0, -3.0]]]
SCALES = [[[0.5, -1.0], [2.0, 3.0]], [[300.0, 0.0], [-40.0, 100.0]]]
SIDES = [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
LABELS = [[0, 1, 2, 1], [1, 1, 0, 0], [0, 0, 0, 2]]


@pytest.mark.parametrize(
    ("loss", "targets", "shape"),
    [
        (masked, NUMBERS, (2, 2)),
        (scaled, NUMBERS, (2, 2)),
        (looked_up, SCALES, (2, 2)),
        (balanced, SIDES, (3,)),
        (with_two_conditions, SIDES, (3,)),
        (without_ignored, LABELS, (4, 3)),
        (up_to_largest, LABELS, (4, 3)),
        (in_numpy, NUMBERS, (2, 2)),
        (capped, SCALES, (2, 2)),
        (by_size, SCALES, (2, 2)),
        (standardized, SCALES, (2, 2)),
    ],
)
def test_one_program_is_right_for_all_targets(loss, targets, shape):
    predictions = np.random.default_rng(0).standard_normal(shape)
    with jax.enable_x64(True):
        program = jax.jit(jax.value_and_grad(adapted(loss)))
        for target in map(np.array, targets):
            leaf = torch.tensor(predictions, requires_grad=True)
            expected = loss(leaf, torch.tensor(target))
            (slopes,) = torch.autograd.grad(expected, leaf)
            value, gradient = program(predictions, target)
            np.testing.assert_allclose(value, expected.item(), rtol=1e-12)
            np.testing.assert_allclose(gradient, slopes.numpy(), rtol=1e-10, atol=1e-14)


def test_a_number_read_of_the_targets_is_part_of_the_program():
    predictions, target = np.zeros((2, 2)), np.array(NUMBERS[0])
    program = jax.make_jaxpr(adapted(scaled))(predictions, target)
    assert "pure_callback" not in str(program)


def test_conditions_on_a_mask_and_its_selection_have_one_record_per_outcome():
    function = adapted(with_two_conditions)
    call = BoundCall(function, (), Options({}))
    inputs = (np.zeros(3, np.float32), np.zeros(3, np.float32))
    assert 2 <= len(function.program(call, inputs, (0,)).records) <= 4


def test_a_loss_left_to_torch_has_its_second_derivative():
    target = np.array(NUMBERS[0])
    with jax.enable_x64(True):
        gradient = jax.grad(lambda p: adapted(in_numpy)(p, target))
        ones = np.ones((2, 2))
        _, along = jax.jit(lambda p: jax.jvp(gradient, (p,), (ones,)))(target)
    np.testing.assert_allclose(along, np.exp(-np.abs(target)) / 2)
