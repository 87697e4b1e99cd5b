"""Losses that read targets in Python are audited by records per target, and trained by torch."""

import math

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import torch.nn.functional as F  # noqa: E402, N812

from landscape.audit import audit  # noqa: E402
from landscape.errors import UserError  # noqa: E402
from landscape.interop.torch_recognition import adapted, replayed  # noqa: E402


def mean_of_present_classes(logits, target):
    entropy = F.cross_entropy(logits, target, reduction="none")
    return torch.stack([entropy[target == c].mean() for c in torch.unique(target)]).mean()


def by_counts(logits, target):
    values, counts = target.unique(return_counts=True)
    entropy = F.cross_entropy(logits, target, reduction="none")
    pairs = zip(values.tolist(), counts.tolist(), strict=True)
    return sum(entropy[target == v].sum() / math.sqrt(n) for v, n in pairs) / len(values)


def of_the_set(logits, target):
    entropy = F.cross_entropy(logits, target, reduction="none")
    return sum(entropy[target == c].mean() for c in sorted(set(target.tolist())))


def by_bincount(logits, target):
    weights = 1 / np.maximum(np.bincount(target.numpy(), minlength=logits.shape[1]), 1)
    return F.cross_entropy(logits, target, weight=torch.tensor(weights, dtype=logits.dtype))


def up_to_largest(logits, target):
    classes = int(target.max()) + 1
    return ((logits[:, :classes] - F.one_hot(target, classes)) ** 2).mean()


def hardest_negatives(pred, target):
    count = int((target > 0.5).sum())
    losses = F.binary_cross_entropy_with_logits(pred, target, reduction="none")
    negatives = losses[target <= 0.5]
    chosen = torch.topk(negatives, min(max(count, 1), len(negatives))).values
    return (losses[target > 0.5].sum() + chosen.sum()) / max(count, 1)


def at_positions(pred, target):
    positions = torch.where(target > 0.5)
    if len(positions[0]) == 0:
        return 0.0
    return F.softplus(-pred[positions]).mean()


def weighted_in_python(pred, target):
    weights = [1 + abs(value) for value in target.flatten().tolist()]
    return (torch.tensor(weights, dtype=pred.dtype) * (pred - target).flatten() ** 2).mean()


def with_quantile(pred, target):
    delta = max(abs(torch.quantile(target, 0.9).item()), 0.1)
    return F.huber_loss(pred, target, delta=delta) / math.log(2 + target.abs().max().item())


def above_threshold(pred, target):
    large = float(target.mean()) > 5000
    return F.l1_loss(pred, target) if large else F.mse_loss(pred, target)


def unless_constant(pred, target):
    spread = float(target.std())
    return F.mse_loss(pred, target) / (spread if spread != 0 else 1.0)


LABELS = [[0, 1, 2, 1], [1, 1, 0, 0], [0, 0, 0, 2], [2, 2, 2, 2]]
SIDES = [[0.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
NUMBERS = [[0.5, -1.0, 3.0], [9000.0, 8000.0, 5.0], [2.0, 2.0, 2.0]]
CASES = [
    (mean_of_present_classes, LABELS, (4, 3)),
    (by_counts, LABELS, (4, 3)),
    (of_the_set, LABELS, (4, 3)),
    (by_bincount, LABELS, (4, 3)),
    (up_to_largest, LABELS, (4, 3)),
    (hardest_negatives, SIDES, (3,)),
    (at_positions, SIDES, (3,)),
    (weighted_in_python, NUMBERS, (3,)),
    (with_quantile, NUMBERS, (3,)),
    (above_threshold, NUMBERS, (3,)),
    (unless_constant, NUMBERS, (3,)),
]


def in_torch(loss, predictions, target):
    """Returns value and gradient by torch itself."""
    leaf = torch.tensor(predictions, requires_grad=True)
    value = torch.as_tensor(loss(leaf, torch.tensor(target)))
    if not value.requires_grad:
        return value.item(), np.zeros_like(predictions)
    (slopes,) = torch.autograd.grad(value, leaf)
    return value.item(), slopes.numpy()


@pytest.mark.parametrize(("loss", "targets", "shape"), CASES)
def test_the_program_of_the_audit_is_right_for_targets_that_were_noted(loss, targets, shape):
    predictions = np.random.default_rng(0).standard_normal(shape)
    arrays = [np.array(target) for target in targets]
    with jax.enable_x64(True):
        function = replayed(adapted(loss))
        for target in arrays:
            function.note(function, predictions, target)
        program = jax.jit(jax.value_and_grad(lambda p, t: function(p, t)))
        for target in arrays:
            value, slopes = in_torch(loss, predictions, target)
            replayed_value, gradient = program(predictions, target)
            np.testing.assert_allclose(replayed_value, value, rtol=1e-12)
            np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-14)
        assert not function.learn()


def test_targets_of_another_course_are_noticed_and_learned():
    def by_counts_alone(logits, target):  # a function that no other test uses
        return by_counts(logits, target)

    labels = [np.array([0, 0, 0, 0]), np.array([0, 1, 2, 1])]
    predictions = np.random.default_rng(0).standard_normal((4, 3))
    with jax.enable_x64(True):
        function = replayed(adapted(by_counts_alone))
        function.note(function, predictions, labels[0])
        for met in (True, False):
            value = jax.jit(lambda p, t: function(p, t))(predictions, labels[1])
            jax.block_until_ready(value)
            assert function.learn() is met
    np.testing.assert_allclose(value, in_torch(by_counts, predictions, labels[1])[0])


@pytest.mark.parametrize("loss", [mean_of_present_classes, up_to_largest, above_threshold])
def test_training_calls_torch_for_targets_that_were_never_recorded(loss):
    (_, targets, shape) = next(case for case in CASES if case[0] is loss)
    predictions = np.random.default_rng(0).standard_normal(shape)
    with jax.enable_x64(True):
        program = jax.jit(jax.value_and_grad(adapted(loss)))
        for target in map(np.array, targets):
            value, slopes = in_torch(loss, predictions, target)
            called, gradient = program(predictions, target)
            np.testing.assert_allclose(called, value, rtol=1e-12)
            np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-14)


def weighted_entropy(pred, target):
    weights = torch.tensor([1 + 2 * value for value in target.flatten().tolist()])
    return F.binary_cross_entropy(
        torch.sigmoid(pred), target, weight=weights.to(pred.dtype).reshape(pred.shape)
    )


def weighted_entropy_in_torch(pred, target):
    return F.binary_cross_entropy(torch.sigmoid(pred), target, weight=1 + 2 * target)


def test_the_audit_of_weights_in_python_is_that_of_weights_in_torch():
    judged, expected = (
        audit(loss, task="binary") for loss in (weighted_entropy, weighted_entropy_in_torch)
    )
    assert judged.verdict == expected.verdict
    assert [f.code for f in judged.findings] == [f.code for f in expected.findings]
    assert judged.findings[0].where.line == weighted_entropy.__code__.co_firstlineno + 2
    assert expected.findings[0].where.line == weighted_entropy_in_torch.__code__.co_firstlineno + 1


def random_weights(pred, target):
    weights = torch.tensor(np.random.default_rng().random(len(target.tolist())))
    return (weights.to(pred.dtype) * (pred - target) ** 2).mean()


def test_random_weights_are_rejected():
    with pytest.raises(UserError, match="random"):
        replayed(adapted(random_weights))(np.ones(3, np.float32), np.ones(3, np.float32))
