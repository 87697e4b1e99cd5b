"""Losses as they are posted: value and gradient of torch, and the verdict of an argument."""

import copy
import inspect

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import torch_posted_losses as posted  # noqa: E402

from landscape.audit import audit  # noqa: E402
from landscape.errors import UserError  # noqa: E402
from landscape.interop.torch_recognition import adapted  # noqa: E402


def name_of(case):
    return getattr(case.loss, "__name__", type(case.loss).__name__)


def arrays(task):
    """Returns predictions and targets of a task in float64."""
    rng = np.random.default_rng(0)
    predictions, labels = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    binary = (rng.random((6, 4)) > 0.5).astype(float)
    if task == "boxes":
        boxes = [np.concatenate([c, c + 0.2 + s], 1) for c, s in rng.random((2, 2, 6, 2))]
        return boxes[0], boxes[1]
    targets = {"multiclass": labels, "embedding": labels // 2, "regression": predictions[::-1]}
    targets["ranking"] = labels.astype(float)
    if task == "ranking":
        return predictions[:, 0], targets[task]
    return predictions, np.array(targets.get(task, binary))


def check_values(loss, targets, predictions):
    function = adapted(loss)
    module = loss() if inspect.isclass(loss) else loss
    module = copy.deepcopy(module).double() if isinstance(module, torch.nn.Module) else module
    leaf = torch.tensor(predictions, requires_grad=True)
    value = module(leaf, torch.tensor(targets))
    gradient = torch.zeros_like(leaf)
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, leaf, materialize_grads=True, allow_unused=True)
    with jax.enable_x64(True):
        replayed, slopes = jax.value_and_grad(function)(predictions, targets)
    np.testing.assert_allclose(replayed, value.item(), rtol=1e-11)
    np.testing.assert_allclose(slopes, gradient.numpy(), rtol=1e-10, atol=1e-13)


@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
@pytest.mark.parametrize("case", posted.POSTED, ids=name_of)
def test_value_and_gradient_are_those_of_torch(case):
    predictions, targets = arrays(case.task)
    if case.loss is posted.divergence_without_log:
        targets = np.eye(4)[targets]
    check_values(case.loss, targets, predictions)


@pytest.mark.parametrize("case", posted.POSTED, ids=name_of)
def test_verdict_and_codes_are_those_of_the_argument(case):
    judged = audit(case.loss, task=case.task)
    assert judged.verdict == case.verdict
    assert set(case.codes) <= {finding.code for finding in judged.findings}


def test_a_loss_that_converts_to_float32_is_the_one_that_torch_computes_in_float32():
    predictions, targets = arrays("binary")
    leaf = torch.tensor(predictions, dtype=torch.float32, requires_grad=True)
    value = posted.lovasz_hinge_in_single(leaf, torch.tensor(targets, dtype=torch.float32))
    (gradient,) = torch.autograd.grad(value, leaf)
    with jax.enable_x64(True):  # in float64 torch itself rejects the product of two dtypes
        loss = adapted(posted.lovasz_hinge_in_single)
        replayed, slopes = jax.value_and_grad(loss)(predictions, targets)
    np.testing.assert_allclose(replayed, value.item(), rtol=1e-5)
    np.testing.assert_allclose(slopes, gradient.numpy(), rtol=1e-5, atol=1e-6)


def test_batch_normalization_uses_the_batch_and_leaves_the_module_as_it_was():
    module = posted.BatchNormalized()
    before = copy.deepcopy(module.state_dict())
    predictions, targets = arrays("regression")
    check_values(module, targets, predictions)
    after = module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_function_of_torch_that_only_checks_its_predictions_is_replayed():
    predictions, targets = arrays("regression")
    check_values(posted.GaussianHead(), np.ascontiguousarray(targets[:, 0]), predictions)


class MovingCenter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("center", torch.zeros(4))

    def forward(self, pred, target):
        distance = (pred - self.center - target).square().mean()
        self.center += 0.1 * (pred - target).detach().mean(0)
        return distance


class WarmUp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, pred, target):
        self.calls += 1
        return min(1.0, self.calls / 100) * (pred - target).square().mean()


@pytest.mark.parametrize(("module", "name"), [(MovingCenter(), "center"), (WarmUp(), "calls")])
def test_a_module_whose_next_call_is_another_loss_is_rejected_by_what_changes(module, name):
    before = copy.copy(getattr(module, name))
    with pytest.raises(UserError, match=f"changes `self.{name}`"):
        adapted(module)(np.ones((3, 4), np.float32), np.zeros((3, 4), np.float32))
    assert np.all(np.asarray(getattr(module, name)) == np.asarray(before))


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (posted.rewrapped, "torch.tensor("),
        (posted.decorated_with_no_grad, "@torch.no_grad()"),
        (posted.in_inference_mode, "F.mse_loss"),
    ],
    ids=["tensor", "decorator", "inference_mode"],
)
def test_a_cut_graph_is_shown_where_it_is_cut(loss, text):
    (finding,) = (f for f in audit(loss, task="regression").findings if f.code == "G201")
    assert text in finding.where.text
    assert "torch.no_grad()" in finding.suggestion
